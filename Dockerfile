# One image for every process: `activity worker append`, `activity beat`, `activity serve`, ...

FROM python:3.13-slim AS build
WORKDIR /project
COPY requirements-build.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements-build.txt
COPY web/package.json web/package-lock.json web/.npmrc web/
RUN cd web && npm ci --no-audit --no-fund
COPY . .
RUN cd web && npm run build
RUN python -m hatchling build -t wheel

FROM python:3.13-slim AS environment
RUN python -m venv /opt/activity
COPY requirements.txt .
RUN /opt/activity/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY --from=build /project/dist /wheels
RUN /opt/activity/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl

FROM python:3.13-slim
RUN useradd --system --no-create-home --uid 10001 activity
COPY --from=environment /opt/activity /opt/activity
ENV PATH=/opt/activity/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ACTIVITY_DATA_DIR=/tmp/activity
USER activity
WORKDIR /tmp
ENTRYPOINT ["activity"]
CMD ["--help"]

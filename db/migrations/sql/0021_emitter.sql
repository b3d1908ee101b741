-- A program that shares the database and may only emit, for one workspace: its login is a member of activity_emitter, and
-- activity.emitter says which workspace is its own. It is known by its login, which no SET can change.
do $$
begin
  create role activity_emitter nologin;
exception when duplicate_object or unique_violation then null;  -- made by another database's migration
end $$;
set role activity_owner;

create table activity.emitter (
  login      name primary key,
  tenant_id  integer not null references crm.tenant (id),
  created_at timestamptz not null default clock_timestamp()
);
-- Not INSERT under a policy: COPY, by which others emit many events, does not go into a table that has one.
create function activity.emit(doc json) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into activity.outbox (tenant_id, doc) select e.tenant_id, emit.doc from activity.emitter e where e.login = session_user;
  if not found then
    raise exception '% may emit for no workspace: `activity emitter allow` names one', session_user using errcode = '42501';
  end if;
end $$;
revoke all on function activity.emit(json) from public;
grant usage on schema activity to activity_emitter;
grant execute on function activity.emit(json) to activity_emitter;
grant select, insert, update (tenant_id), delete on activity.emitter to activity_producer;

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
create function activity.emitter_tenant() returns integer
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select tenant_id from activity.emitter where login = session_user
$$;
revoke all on function activity.emitter_tenant() from public;
grant execute on function activity.emitter_tenant() to activity_emitter;
grant select, insert, update (tenant_id), delete on activity.emitter to activity_producer;
grant usage on schema activity to activity_emitter;
grant insert (tenant_id, doc) on activity.outbox to activity_emitter;

alter table activity.outbox enable row level security;       -- constant policies cost nothing
create policy emit_all on activity.outbox for insert to activity_producer with check (true);
create policy take_all on activity.outbox to activity_writer using (true);
create policy emit_own on activity.outbox for insert to activity_emitter
  with check (tenant_id = (select activity.emitter_tenant()));

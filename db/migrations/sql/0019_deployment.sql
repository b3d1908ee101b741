-- A deployment's name and its messages' key. Redis is often shared, and the numbers of its databases part no pub/sub: the
-- name stands in channels and keys. It is drawn from a seed of its own and from which database of which cluster this is: a
-- logical copy has another name by itself, a promoted standby the same; `activity restored` draws a new seed.
set role activity_owner;
create table activity.deployment (
  single  boolean primary key default true,
  seed    uuid not null default gen_random_uuid(),
  key     bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
  old_key bytea,                                             -- believed as well until the key is changed again
  constraint there_is_one_deployment check (single)
);
insert into activity.deployment default values;

create function activity.deployment_name() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select left(encode(sha256(convert_to(concat_ws('/', seed, system_identifier, d.oid), 'UTF8')), 'hex'), 12)
    from activity.deployment, pg_control_system(), pg_database d where d.datname = current_database()
$$;
-- The keys that messages on pub/sub are signed with, the newest first: for who publishes and who follows.
create function activity.message_keys() returns bytea[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select array_remove(array[key, old_key], null) from activity.deployment
$$;
revoke all on function activity.deployment_name(), activity.message_keys() from public;
grant execute on function activity.deployment_name() to activity_producer, activity_writer, activity_reader, activity_auditor;
grant execute on function activity.message_keys() to activity_writer, activity_reader;

-- A document in the outbox is of its row's workspace: a claim, its lock and its message go by the row.
alter table activity.outbox add constraint doc_is_of_its_workspace check (doc ->> 'tenant_id' is not distinct from tenant_id::text);

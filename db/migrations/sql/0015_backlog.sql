-- How much waits in the outbox, for those who say more than the log takes: they may not read the outbox, and learn only this number.
set role activity_owner;
create function activity.waiting(tenants int[], cap int) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
  select count(*) from (select from unnest(tenants) as t (id) cross join lateral (
    select from activity.outbox where tenant_id = t.id limit cap) o limit cap) waiting
$$;
revoke all on function activity.waiting(int[], int) from public;
grant execute on function activity.waiting(int[], int) to activity_producer, activity_reader;

-- The salt of one event that still has its payload: whoever may read an event may have it proved to others. In bulk the salts stay with
-- the auditor, and an erased event has none.
set role activity_owner;
create function activity.salt(tenant int, number bigint) returns bytea
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select salt from activity.event where tenant_id = tenant and seq = number and tenant = activity.current_tenant()
$$;
revoke all on function activity.salt(int, bigint) from public;
grant execute on function activity.salt(int, bigint) to activity_reader;

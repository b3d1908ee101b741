-- The append task claims a workspace by its head's row, not by an advisory lock: a head that somebody holds, such as a
-- long erasure, is passed over, so that nobody waits for another workspace. The function keeps the writer's one
-- privilege on the log. A workspace without a head is claimed as well: the log refuses its events, with the reason.
set role activity_owner;
create function activity.claim(tenant int) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform from activity.head where tenant_id = tenant for update skip locked;
  return found or not exists (select from activity.head where tenant_id = tenant);
end $$;
revoke all on function activity.claim(int) from public;
grant execute on function activity.claim(int) to activity_writer;

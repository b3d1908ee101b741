-- `activity doctor` compares the schema with the program's. The table is the migrating login's own.
grant select on activity_version to activity_reader;

-- Erase a person: the payloads of their events go, and those of refused documents about them; the chain still verifies, and the log says that it
-- was done, by whom and why. What says so stays, however often it is done.
set role activity_owner;
drop function activity.erase(int, text, uuid, text, text);
create function activity.erase(tenant int, contact text, event_id uuid, actor text, reason text, request_id text default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  erased bigint;
begin
  perform from activity.head where tenant_id = tenant for update;
  update activity.event set payload = null, salt = null
   where tenant_id = tenant and contact_id = contact and payload is not null and type not in ('contact.erased', 'privacy.bodies_erased');
  get diagnostics erased = row_count;
  -- Refused documents are compared as text: what is wrong with them may be that they can't be read as JSON.
  update activity.rejected set doc = '{"erased":true}'
   where position('"contact_id":' || to_json(contact)::text in replace(doc, '": ', '":')) > 0
     and (tenant_id = tenant or tenant_id is null and replace(doc, '": ', '":') ~ ('"tenant_id":' || tenant || '[,}]'));
  insert into activity.inbox (doc) values (array[json_build_object('tenant_id', tenant, 'event_id', event_id, 'type', 'privacy.bodies_erased',
    'version', 1, 'actor', actor, 'source', 'erasure', 'contact_id', contact, 'occurred_at', clock_timestamp(),
    'payload', ('{"events":' || erased || coalesce(',"reason":' || to_json(reason)::text, '')
      || coalesce(',"request_id":' || to_json(request_id)::text, '') || '}')::json)]);
  return erased;
end $$;
revoke all on function activity.erase(int, text, uuid, text, text, text) from public;
grant execute on function activity.erase(int, text, uuid, text, text, text) to activity_eraser;

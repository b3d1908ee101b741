-- An erasure names what it emptied: `privacy.bodies_erased` holds the numbers, so that `activity verify` finds a payload that was taken out
-- by hand. Numbers are ranges ("3,7-9"), at most 1,500 of them an event: what fits a payload; a person with more has several such events.
set role activity_owner;
create or replace function activity.erase(tenant int, contact text, event_id uuid, actor text, reason text, request_id text default null)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  erased bigint;
begin
  perform from activity.head where tenant_id = tenant for update;
  -- Refused documents are compared as text: what is wrong with them may be that they can't be read as JSON.
  update activity.rejected set doc = '{"erased":true}'
   where position('"contact_id":' || to_json(contact)::text in replace(doc, '": ', '":')) > 0
     and (tenant_id = tenant or tenant_id is null and replace(doc, '": ', '":') ~ ('"tenant_id":' || tenant || '[,}]'));
  with emptied as (
    update activity.event set payload = null, salt = null
     where tenant_id = tenant and contact_id = contact and payload is not null and type not in ('contact.erased', 'privacy.bodies_erased')
    returning seq),
  ranges as (
    select min(seq) as first, max(seq) as last, (row_number() over (order by min(seq)) - 1) / 1500 as part
      from (select seq, seq - row_number() over (order by seq) as island from emptied) neighbours group by island),
  parts as (
    select part, sum(last - first + 1) as events,
           string_agg(first || case when last > first then '-' || last else '' end, ',' order by first) as seqs
      from ranges group by part
    union all select 0, 0, '' where not exists (select from emptied)),
  recorded as (
    insert into activity.inbox (doc) select array_agg(json_build_object('tenant_id', tenant,
      'event_id', case part when 0 then event_id else gen_random_uuid() end, 'type', 'privacy.bodies_erased', 'version', 1, 'actor', actor,
      'source', 'erasure', 'contact_id', contact, 'occurred_at', clock_timestamp(),
      'payload', ('{"events":' || events || coalesce(',"reason":' || to_json(reason)::text, '')
        || coalesce(',"request_id":' || to_json(request_id)::text, '') || ',"seqs":"' || seqs || '"}')::json) order by part) from parts)
  select sum(events) into erased from parts;
  return erased;
end $$;

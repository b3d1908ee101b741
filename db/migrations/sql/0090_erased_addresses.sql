-- Erasing reaches who is no contact, by their address, and stays done: which addresses were erased is kept under the hash of the workspace's
-- key, so that what is reported of one later is recorded without the person. Nobody reads the table: it is asked about one address.
set role activity_owner;

create table crm.erased_address (
  tenant_id integer not null references crm.tenant,
  target    text not null,                                     -- the hash of a spelling
  primary key (tenant_id, target)
);

create function crm.is_erased(tenant int, address text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from crm.erased_address e where e.tenant_id = tenant and e.target = crm.erased(tenant, address))
$$;

-- Note that an address was erased; returns its hash. `known` is the one spelling of it, `address` another one.
create function crm.note_erased(tenant int, address text, known text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not (tenant = activity.current_tenant() or activity.every_tenant()) then
    raise exception 'the transaction does not name the workspace %', tenant;
  end if;
  insert into crm.erasure_key (tenant_id) values (tenant) on conflict do nothing;
  insert into crm.erased_address (tenant_id, target)
  select tenant, crm.erased(tenant, spelling) from unnest(array[address, known]) s(spelling) on conflict do nothing;
  return crm.erased(tenant, known);
end $$;
revoke all on function crm.is_erased(int, text), crm.note_erased(int, text, text) from public;
grant execute on function crm.is_erased(int, text), crm.note_erased(int, text, text) to activity_producer;

-- As in 0030, and: what is about the contact as a record, and every mail of no contact to or from an address that was erased. Without a
-- contact, `hash` is the record that the erasure is about. Who acts is named.
drop function activity.erase(int, text, uuid, text, text, text);
create function activity.erase(tenant int, contact text, event_id uuid, actor text, reason text, request_id text default null, hash text default null)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  erased bigint;
  apart  bigint[];
begin
  if actor !~ '^[^[:space:]@]+@[^[:space:]@]+$' and actor <> 'system' or actor is null or num_nonnulls(contact, hash) <> 1 then
    raise exception 'an erasure names who erases, and either a contact or the hash of an address';
  end if;
  -- What no index finds is looked for before the log is held up.
  select array_agg(e.seq) into apart from activity.event e left join crm.erasure_key k on k.tenant_id = e.tenant_id
   where e.tenant_id = tenant and e.payload is not null
     and (e.record_type = 'contact' and e.record_id = contact
       or e.contact_id is null and e.type like 'email.%' and exists (
         select from crm.erased_address a where a.tenant_id = tenant and a.target in (
           select 'erased:' || encode(sha256(k.key || convert_to(lower(e.payload ->> name), 'UTF8')), 'hex')
             from unnest(array['recipient', 'from_address', 'to_address']) name)));
  perform from activity.head where tenant_id = tenant for update;
  -- Refused documents are compared as text: what is wrong with them may be that they can't be read as JSON.
  update activity.rejected set doc = '{"erased":true}'
   where (tenant_id = tenant or tenant_id is null and replace(doc, '": ', '":') ~ ('"tenant_id":' || tenant || '[,}]'))
     and (position('"contact_id":' || to_json(contact)::text in replace(doc, '": ', '":')) > 0
       or exists (select from regexp_matches(doc, '[^\s"''<>(),;:\\]+@[^\s"''<>(),;:\\]+', 'g') address where crm.is_erased(tenant, lower(address[1]))));
  with emptied as (
    update activity.event set payload = null, salt = null
     where tenant_id = tenant and payload is not null and type not in ('contact.erased', 'privacy.bodies_erased')
       and (contact_id = contact or seq = any(apart))
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
      'source', 'erasure', 'contact_id', contact, 'record_type', case when hash is not null then 'address' end, 'record_id', hash,
      'occurred_at', clock_timestamp(),
      'payload', ('{"events":' || events || coalesce(',"reason":' || to_json(reason)::text, '')
        || coalesce(',"request_id":' || to_json(request_id)::text, '') || ',"seqs":"' || seqs || '"}')::json) order by part) from parts)
  select sum(events) into erased from parts;
  return erased;
end $$;
revoke all on function activity.erase(int, text, uuid, text, text, text, text) from public;
grant execute on function activity.erase(int, text, uuid, text, text, text, text) to activity_eraser;

-- A program that may only emit is an outsider: it says nothing that would pass for the system's own. The lists are those of
-- activity/catalogue/registry.py, and tests/integration/log/test_emitters.py holds them to each other.
set role activity_owner;
create function activity.is_of_system(doc json) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select doc ->> 'type' ~ '^(mailbox|playbook|sequence)\.'
      or doc ->> 'type' in ('contact.erased', 'privacy.bodies_erased', 'event.classified', 'import.completed', 'email.consent_given',
           'email.consent_withdrawn', 'email.suppressed', 'email.suppression_lifted')
      or doc ->> 'source' in ('classify', 'enrichment', 'erasure', 'inbound', 'playbook', 'sequence', 'signals', 'suppression')
      or doc ->> 'source' like 'webhook:%'
      or substr(regexp_replace(doc ->> 'event_id', '[^[:xdigit:]]', '', 'g'), 13, 1) = '8'  -- a UUID of version 8
$$;
create or replace function activity.emit(doc json) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if activity.is_of_system(emit.doc) then
    raise exception 'this event would pass for one of the system''s own, by its type, its source or the version of its id' using errcode = '42501';
  end if;
  insert into activity.outbox (tenant_id, doc) select e.tenant_id, emit.doc from activity.emitter e where e.login = session_user;
  if not found then
    raise exception '% may emit for no workspace: `activity emitter allow` names one', session_user using errcode = '42501';
  end if;
end $$;
revoke all on function activity.is_of_system(json) from public;

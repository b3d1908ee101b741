-- For whom the contents of a workspace's e-mails are, and a key that reads them all. The policy is told by an event of the system's own, so the
-- list of those grows; it is that of activity/catalogue/registry.py.
set role activity_owner;
alter table crm.tenant add column mail_contents text not null default 'everyone' check (mail_contents in ('everyone', 'participants'));
grant update (mail_contents) on crm.tenant to activity_producer;
alter table crm.api_key drop constraint api_key_scopes_check, add constraint api_key_scopes_check check (scopes <@ array['read', 'write', 'records', 'contents']);
create or replace function activity.is_of_system(doc json) returns boolean
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select doc ->> 'type' ~ '^(mailbox|playbook|sequence)\.'
      or doc ->> 'type' in ('contact.erased', 'privacy.bodies_erased', 'privacy.contents_changed', 'event.classified', 'import.completed',
           'email.consent_given', 'email.consent_withdrawn', 'email.suppressed', 'email.suppression_lifted')
      or doc ->> 'source' in ('classify', 'enrichment', 'erasure', 'inbound', 'playbook', 'sequence', 'signals', 'suppression')
      or doc ->> 'source' like 'webhook:%'
      or substr(regexp_replace(doc ->> 'event_id', '[^[:xdigit:]]', '', 'g'), 13, 1) = '8'  -- a UUID of version 8
$$;

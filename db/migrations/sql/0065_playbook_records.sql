-- A run whose record was erased or deleted ends: which of its records were there when it started.
set role activity_owner;
alter table playbook.run add column found text[] not null default '{}';
create index run_open_of_contact on playbook.run (tenant_id, contact_id)
  where contact_id is not null and state in ('running', 'waiting', 'paused', 'failed');

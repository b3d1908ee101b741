-- Starts by when things happened, at a pace of each playbook's own; and runs that are held until their playbook is enabled.
set role activity_owner;
alter table playbook.once rename column last_at to started_at;
alter table playbook.once drop constraint once_pkey, add primary key (playbook_id, subject, started_at);

drop table playbook.pace;
create table playbook.pace (                                   -- each playbook's rate limit: until when its starts are spoken for
  playbook_id bigint primary key references playbook.playbook on delete cascade,
  tenant_id   integer not null,
  taken_to    timestamptz not null
) with (fillfactor = 50);
call crm.guard('playbook.pace');

alter table playbook.run drop constraint run_state_check, add constraint run_state_check
  check (state in ('running', 'waiting', 'held', 'paused', 'completed', 'failed', 'cancelled', 'refused'));
create index run_not_begun on playbook.run (playbook_id, id) where done = 0 and state in ('running', 'held');
drop index playbook.run_open_of_contact;
create index run_open_of_contact on playbook.run (tenant_id, contact_id)
  where contact_id is not null and state in ('running', 'waiting', 'held', 'paused', 'failed');

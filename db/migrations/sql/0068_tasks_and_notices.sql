-- Tasks that are done and notices that are read, by whom; and notices about a playbook itself, one at a time for each.
set role activity_owner;
alter table playbook.task add column done_by text;
create index task_newest on playbook.task (tenant_id, id desc);
alter table playbook.notice
  alter column run_id drop not null,
  add column playbook_id bigint references playbook.playbook on delete cascade,
  add column times integer not null default 1;
create index notice_newest on playbook.notice (tenant_id, id desc);
create unique index notice_of_playbook on playbook.notice (playbook_id, recipient) where read_at is null and playbook_id is not null;

-- What a merged record's runs, waits, starts and tasks are found by.
set role activity_owner;
create index run_open_of_account on playbook.run (tenant_id, account_id)
  where account_id is not null and state in ('running', 'waiting', 'held', 'paused', 'failed');
create index wait_of_subject on playbook.wait (tenant_id, subject);
create index once_of_subject on playbook.once (tenant_id, subject);
create index task_of_account on playbook.task (tenant_id, account_id) where account_id is not null;
create index task_of_contact on playbook.task (tenant_id, contact_id) where contact_id is not null;

-- Who enabled, paused or started a playbook is recorded as what is done to runs is.
set role activity_owner;
alter table playbook.act
  alter column run_id drop not null,
  add column playbook_id bigint references playbook.playbook on delete cascade,
  drop constraint act_act_check,
  add constraint act_act_check check (act in ('cancel', 'pause', 'retry', 'skip', 'enable', 'start')),
  add constraint an_act_is_on_a_playbook_or_a_run check (num_nonnulls(playbook_id, run_id) = 1);
create index act_of_playbook on playbook.act (playbook_id) where playbook_id is not null;

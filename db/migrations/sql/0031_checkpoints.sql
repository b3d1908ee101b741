-- Checkpoints, signed and kept, and the tree that they are of: what can be proved of one event without the log.
set role activity_owner;

-- A row is the root of 256 entries of the level below; level 0 are the leaves, made of activity.event.hash. Nothing trusts this table: a
-- wrong row makes a proof that fails, and `activity verify --checkpoint` makes the tree of the events anew.
create table activity.tree (
  tenant_id integer not null,
  level     smallint not null,
  n         bigint not null,
  hash      bytea not null,
  primary key (tenant_id, level, n),
  constraint hash_is_sha256 check (octet_length(hash) = 32),
  constraint level_is_above_the_leaves check (level between 1 and 7)
);
create table activity.checkpoint (
  tenant_id integer not null,
  size      bigint not null,
  note      text not null,                                     -- as it was signed, witnesses' signatures added
  made_at   timestamptz not null default clock_timestamp(),
  primary key (tenant_id, size),
  constraint note_is_bounded check (octet_length(note) <= 65536)
);
create index checkpoint_newest on activity.checkpoint (tenant_id, made_at desc);

alter table activity.tree enable row level security, force row level security;
alter table activity.checkpoint enable row level security, force row level security;
create policy owner_all   on activity.tree       to activity_owner using (true) with check (true);
create policy owner_all   on activity.checkpoint to activity_owner using (true) with check (true);
create policy tenant_read on activity.tree       for select to activity_reader using (tenant_id = (select activity.current_tenant()));
create policy tenant_read on activity.checkpoint for select to activity_reader using (tenant_id = (select activity.current_tenant()));
create policy audit_read  on activity.checkpoint for select to activity_auditor using (true);
create policy keep        on activity.tree       to activity_writer using (true) with check (true);
create policy keep        on activity.checkpoint to activity_writer using (true) with check (true);
create policy hash_read   on activity.event      for select to activity_writer using (true);
create policy hash_read   on activity.head       for select to activity_writer using (true);
grant select on activity.tree, activity.checkpoint to activity_reader;
grant select on activity.checkpoint to activity_auditor;
grant select, insert on activity.tree, activity.checkpoint to activity_writer;
grant update (note) on activity.checkpoint to activity_writer;
-- The append worker makes the checkpoints: it sees hashes, and nothing that an event says.
grant select (tenant_id, seq, hash) on activity.event to activity_writer;
grant select (tenant_id, epoch, seq, hash) on activity.head to activity_writer;

-- The roles of the whole system. They belong to the cluster, not to one database, so they may be there already.
--   activity_owner     owns every object; nobody logs in as it; migrations SET ROLE to it
--   activity_producer  changes records and work queues, and INSERTs what it says into the outbox
--   activity_writer    the append task: empties the outbox; its one privilege on the log is INSERT (doc) on activity.inbox
--   activity_reader    feed and API: SELECT under row-level security, one tenant at a time
--   activity_auditor   verify: SELECT on every tenant's log
--   activity_eraser    EXECUTE activity.erase
-- CREATEROLE is enough to run this: a role's creator may grant it to itself.
do $$
declare
  name text;
begin
  foreach name in array array['owner', 'producer', 'writer', 'reader', 'auditor', 'eraser'] loop
    begin
      execute format('create role activity_%s %s', name, case name when 'owner' then 'nologin' else 'login' end);
    exception when duplicate_object or unique_violation then
      continue;                                                -- made by another database's migration, perhaps just now
    end;
    if name = 'writer' then                                    -- a stuck append must not hold a tenant's head
      alter role activity_writer set lock_timeout = '5s';
      alter role activity_writer set statement_timeout = '30s';
      alter role activity_writer set idle_in_transaction_session_timeout = '10s';
      alter role activity_writer set enable_seqscan = off;     -- a plan made while the outbox is empty must still serve when a flood is in it
      alter role activity_writer set enable_bitmapscan = off;
    elsif name = 'reader' then
      alter role activity_reader set statement_timeout = '15s';
      alter role activity_reader set default_transaction_read_only = on;
    end if;
  end loop;
  if not pg_has_role(current_user, 'activity_owner', 'set') then
    execute format('grant activity_owner to %I with inherit false, set true', current_user);
  end if;
  execute format('grant create on database %I to activity_owner', current_database());
  execute format('revoke create, temporary on database %I from public', current_database());
end $$;

-- Who may do what to the log, one line a right. Nothing here is granted to PUBLIC.
set role activity_owner;
revoke all on all functions in schema activity from public;

grant usage on schema activity to activity_producer, activity_writer, activity_reader, activity_auditor, activity_eraser;

grant insert (tenant_id, doc) on activity.outbox to activity_producer;
grant select, insert, update on activity.cursor to activity_producer;
grant execute on function activity.heads(timestamptz) to activity_producer;

grant select, delete on activity.outbox to activity_writer;
grant insert (doc) on activity.inbox to activity_writer;
grant insert (tenant_id, doc, reason) on activity.rejected to activity_writer;
grant execute on function activity.heads(timestamptz) to activity_writer;

grant select (tenant_id, seq, event_id, type, version, occurred_at, recorded_at, actor, source, account_id, contact_id, record_type, record_id, cause_id,
  payload, payload_sha256, hash) on activity.event to activity_reader;
grant select (tenant_id, epoch, seq, hash) on activity.head to activity_reader;
grant select on activity.rejected to activity_reader;

grant select on activity.event, activity.head, activity.inbox, activity.rejected to activity_auditor;

grant execute on function activity.erase(int, text, uuid, text, text) to activity_eraser;

grant execute on function activity.current_tenant(), activity.every_tenant() to activity_producer, activity_reader;

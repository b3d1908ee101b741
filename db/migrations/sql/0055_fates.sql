-- What became of an event: the few events that correct or judge another, found by it. An event of any other type pays
-- for this index with one comparison.
set role activity_owner;
create index event_fate on activity.event (tenant_id, cause_id, seq) where type in ('event.corrected', 'event.classified');

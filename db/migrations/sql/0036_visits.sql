-- Who has the link of a mail may follow it as often as they like, and each visit would be an event for good: so many are recorded of a mail.
set role activity_owner;
alter table crm.message add column visits integer not null default 0;

set role activity_owner;

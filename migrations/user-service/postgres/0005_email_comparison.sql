-- The address as it is compared: docs/decisions/0011-email-comparison.md. Null until the service fills it in at its start.
-- Not unique: accounts that are older than this comparison may have the same key.
alter table users add column comparison_key text;
-- The address as searches compare it.
alter table users add column email_folded text not null default '';

create index users_by_comparison_key on users (comparison_key);
create index users_without_comparison_key on users (id) where comparison_key is null;
create index users_with_old_email_key on users (id) where email_key <> comparison_key;

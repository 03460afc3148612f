-- Raised when the password changes, but not when the same password is hashed again at another cost.
alter table users add column password_version bigint not null default 0;

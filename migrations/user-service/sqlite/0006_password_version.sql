-- Raised when the password changes, but not when the same password is hashed again at another cost. A statement that changes
-- password_hash by hand should raise it too: then a login that checked the old password at that moment is refused.
alter table users add column password_version integer not null default 0;

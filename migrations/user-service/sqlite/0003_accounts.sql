-- The name as searches compare it: capitals and spellings of accents folded away.
alter table users add column name_folded text not null default '';
update users set name_folded = lower(name);

-- Where somebody is logged in from, and how they proved who they are.
alter table sessions add column ip text not null default '';
alter table sessions add column user_agent text not null default '';
alter table sessions add column method text not null default 'password' check (method in ('password'));

-- Each act that takes tokens back, until the last of those tokens has ended by itself.
create table revocations (
    -- In the order in which the acts became visible.
    seq        integer not null primary key,
    kind       text    not null check (kind in ('session', 'user')),
    id         blob    not null check (length(id) = 16),
    -- Of a person's tokens, those of an earlier epoch are dead.
    epoch      integer check ((kind = 'user') = (epoch is not null)),
    expires_at text    not null
) strict;

create index revocations_by_end on revocations (expires_at);

-- One row, in whose turn acts become visible.
create table revocation_counter (
    one integer not null primary key check (one = 1),
    seq  integer not null
) strict;

insert into revocation_counter (one, seq) values (1, 0);

-- One row, which every change of an admin takes its turn at, so that no two of them can lose the last one together.
create table admin_guard (
    one     integer not null primary key check (one = 1),
    changes integer not null
) strict;

insert into admin_guard (one, changes) values (1, 0);

-- Failed logins that still count. An account is named by a hash, whether anybody has it or not.
create table login_failures (
    account  blob    not null check (length(account) = 32),
    -- An IPv4 address, an IPv6 /64, or nothing for all networks together.
    network  text    not null,
    -- When none of them will count any more, in microseconds since 1970.
    fades_at integer not null,
    primary key (account, network)
) strict;

create index login_failures_by_end on login_failures (fades_at);

-- The networks that somebody has logged in from.
create table login_networks (
    user_id      blob not null references users (id) on delete cascade,
    network      text not null,
    last_used_at text not null,
    primary key (user_id, network)
) strict;

create table audit_log (
    id         blob not null primary key check (length(id) = 16),
    at         text not null,
    event      text not null,
    outcome    text not null check (outcome in ('success', 'failure')),
    -- No references: the log outlives people.
    actor_id   blob check (length(actor_id) = 16),
    subject_id blob check (length(subject_id) = 16),
    ip         text,
    user_agent text,
    request_id text,
    detail     text
) strict;

create index audit_log_by_actor on audit_log (actor_id, id);
create index audit_log_by_subject on audit_log (subject_id, id);
create index audit_log_by_event on audit_log (event, id);

create trigger audit_log_is_not_changed before update on audit_log
begin
    select raise(abort, 'the audit log is only ever added to');
end;

create trigger audit_log_is_not_deleted before delete on audit_log
begin
    select raise(abort, 'the audit log is only ever added to');
end;

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
    seq        bigint      not null primary key,
    kind       text        not null check (kind in ('session', 'user')),
    id         uuid        not null,
    -- Of a person's tokens, those of an earlier epoch are dead.
    epoch      bigint      check ((kind = 'user') = (epoch is not null)),
    expires_at timestamptz not null
);

create index revocations_by_end on revocations (expires_at);

-- One row, in whose turn acts become visible.
create table revocation_counter (
    one integer not null primary key check (one = 1),
    seq  bigint  not null
);

insert into revocation_counter (one, seq) values (1, 0);

-- One row, which every change of an admin takes its turn at, so that no two of them can lose the last one together.
create table admin_guard (
    one     integer not null primary key check (one = 1),
    changes bigint  not null
);

insert into admin_guard (one, changes) values (1, 0);

-- Failed logins that still count. An account is named by a hash, whether anybody has it or not.
create table login_failures (
    account  bytea  not null check (length(account) = 32),
    -- An IPv4 address, an IPv6 /64, or nothing for all networks together.
    network  text   not null,
    -- When none of them will count any more, in microseconds since 1970.
    fades_at bigint not null,
    primary key (account, network)
);

create index login_failures_by_end on login_failures (fades_at);

-- The networks that somebody has logged in from.
create table login_networks (
    user_id      uuid        not null references users (id) on delete cascade,
    network      text        not null,
    last_used_at timestamptz not null,
    primary key (user_id, network)
);

create table audit_log (
    id         uuid        not null primary key,
    at         timestamptz not null,
    event      text        not null,
    outcome    text        not null check (outcome in ('success', 'failure')),
    -- No references: the log outlives people.
    actor_id   uuid,
    subject_id uuid,
    ip         text,
    user_agent text,
    request_id text,
    detail     text
);

create index audit_log_by_actor on audit_log (actor_id, id);
create index audit_log_by_subject on audit_log (subject_id, id);
create index audit_log_by_event on audit_log (event, id);

create function refuse_to_change_the_audit_log() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is only ever added to';
end
$$;

create trigger audit_log_is_only_added_to before update or delete or truncate on audit_log
    for each statement execute function refuse_to_change_the_audit_log();

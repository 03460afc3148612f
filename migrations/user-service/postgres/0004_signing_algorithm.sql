alter table signing_keys
    add column algorithm text not null default 'EdDSA' check (algorithm in ('EdDSA', 'ES256')),
    -- Of a retiring key: until when it is published.
    add column not_after timestamptz check (not_after is null or state = 'retiring'),
    drop constraint signing_keys_public_key_check,
    -- An Ed25519 public key, or an uncompressed P-256 point (SEC 1, section 2.3.3).
    add constraint signing_keys_public_key_check
        check (length(public_key) = case algorithm when 'EdDSA' then 32 else 65 end);

alter table signing_keys alter column algorithm drop default;

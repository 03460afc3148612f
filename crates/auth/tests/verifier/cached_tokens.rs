//! A token that was verified before is checked again each time.

use super::*;

#[test]
fn a_cached_token_still_expires() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.verifier();
    for token in [issuer.as_user().token(), issuer.as_service("gateway").token()] {
        assert!(verifier.verify_with_current_keys(&token).is_ok());
        assert!(verifier.verify_with_current_keys(&token).is_ok());
        issuer.clock().advance(TimeDelta::seconds(929));
        assert!(verifier.verify_with_current_keys(&token).is_ok());
        issuer.clock().advance(TimeDelta::seconds(1));
        assert_eq!(verifier.verify_with_current_keys(&token), Err(AuthError::Expired));
        issuer.clock().advance(TimeDelta::seconds(-930));
    }
}

#[test]
fn a_cached_token_is_refused_after_its_session_ends() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.verifier();
    let (ada, bob) = (issuer.as_user(), issuer.as_user());
    for token in [ada.token(), bob.token()] {
        assert!(verifier.verify_with_current_keys(&token).is_ok());
    }

    let id = ada.claims().sid.unwrap();
    verifier.revocations().apply(Revocation::Session {
        id,
        expires_at: ada.claims().exp + 30,
    });
    assert_eq!(
        verifier.verify_with_current_keys(&ada.token()),
        Err(AuthError::Revoked)
    );
    assert!(verifier.verify_with_current_keys(&bob.token()).is_ok());
}

#[test]
fn a_cached_token_is_refused_after_its_epoch_is_revoked() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.verifier();
    let id = Uuid::new_v4();
    let (before, after) = (
        issuer.as_user().id(id).epoch(3).token(),
        issuer.as_user().id(id).epoch(4).token(),
    );
    for token in [&before, &after] {
        assert!(verifier.verify_with_current_keys(token).is_ok());
    }

    let expires_at = issuer.clock().unix() + 930;
    verifier.revocations().apply(Revocation::User {
        id,
        epoch: 4,
        expires_at,
    });
    assert_eq!(
        verifier.verify_with_current_keys(&before),
        Err(AuthError::Revoked)
    );
    assert!(verifier.verify_with_current_keys(&after).is_ok());
}

#[test]
fn a_cached_token_is_refused_after_its_key_leaves_the_key_set() {
    let issuer = Issuer::new(SERVICE);
    let rotated = issuer.rotated();
    let keys = Keys::new(issuer.key_set());
    let verifier = issuer.verifier_with(keys.clone());
    let token = issuer.as_user().token();
    assert!(verifier.verify_with_current_keys(&token).is_ok());

    keys.replace(rotated.key_set());
    assert_eq!(
        verifier.verify_with_current_keys(&token),
        Err(AuthError::InvalidToken(TokenFault::UnknownKey))
    );
    assert!(
        verifier
            .verify_with_current_keys(&rotated.as_user().token())
            .is_ok()
    );

    keys.replace(issuer.key_set());
    assert!(verifier.verify_with_current_keys(&token).is_ok());
}

#[test]
fn a_replaced_key_set_wins_over_concurrent_caching() {
    let issuer = Issuer::new(SERVICE);
    let (old, new) = (issuer.key_set(), issuer.rotated().key_set());
    for _ in 0..200 {
        let keys = Keys::new(old.clone());
        let verifier = issuer.verifier_with(keys.clone());
        let tokens: Vec<String> = (0..4).map(|_| issuer.as_user().token()).collect();
        let start = Barrier::new(3);

        std::thread::scope(|scope| {
            for tokens in tokens.chunks(2) {
                let (start, verifier) = (&start, &verifier);
                scope.spawn(move || {
                    start.wait();
                    for token in tokens {
                        drop(verifier.verify_with_current_keys(token));
                    }
                });
            }
            start.wait();
            keys.replace(new.clone());
        });
        for token in &tokens {
            let refusal = Err(AuthError::InvalidToken(TokenFault::UnknownKey));
            assert_eq!(verifier.verify_with_current_keys(token), refusal);
        }
    }
}

#[test]
fn a_verifier_without_keys_reports_keys_unavailable() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.verifier_with(Keys::default());
    assert!(!verifier.has_keys());
    assert_eq!(
        verifier.verify_with_current_keys(&issuer.as_user().token()),
        Err(AuthError::KeysUnavailable)
    );
    assert!(issuer.verifier().has_keys());
}

#[test]
fn with_incomplete_revocations_users_lose_roles_and_services_nothing() {
    let issuer = Issuer::new(SERVICE);
    let revocations = Revocations::new(issuer.clock().clone(), 1);
    let verifier = Verifier::builder(
        issuer.issuer(),
        Keys::new(issuer.key_set()),
        Profile::countersign(SERVICE),
    )
    .clock(issuer.clock().clone())
    .revocations(revocations.clone())
    .build();
    let (ada, bob, gateway) = (
        issuer.as_user(),
        issuer.as_user(),
        issuer.as_service("gateway").token(),
    );
    let expires_at = issuer.clock().unix() + 930;
    let ended = Revocation::Session {
        id: bob.claims().sid.unwrap(),
        expires_at,
    };
    revocations.apply(ended.clone());
    assert!(verifier.verify_with_current_keys(&ada.token()).is_ok());

    let is_admin = || {
        let admin = verifier.verify_with_current_keys(&issuer.as_admin().token());
        admin.unwrap().user().unwrap().is_admin()
    };
    assert!(is_admin());

    revocations.apply(Revocation::Session {
        id: Uuid::new_v4(),
        expires_at,
    });
    assert!(verifier.verify_with_current_keys(&ada.token()).is_ok());
    assert!(!is_admin());
    assert_eq!(
        verifier.verify_with_current_keys(&bob.token()),
        Err(AuthError::Revoked),
        "this revocation is known"
    );
    assert!(verifier.verify_with_current_keys(&gateway).is_ok());

    revocations.replace_all([ended]);
    assert!(is_admin());
}

//! Ed25519 public keys of small order. For such a key, anyone can make valid signatures without a private key. The
//! verification of RFC 8032 §5.1.7 does not refuse such keys.
//!
//! The curve has eight points of small order, with five different `y` coordinates: 0, 1, −1, and the two `y` of the points of
//! order eight. A `y` can be encoded with either sign of x, and 0 and 1 can also be encoded with p added.

/// Whether this compressed point has small order.
pub(super) fn has_small_order(point: &[u8; 32]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    // The top bit of the last byte is the sign of x, which doesn't matter here.
    let mut y = *point;
    y[31] &= 0x7f;

    // Little-endian. p = 2^255 − 19 is `ed ff … ff 7f`; p − 1 and p + 1 differ from p only in the first byte.
    let [first, middle @ .., last] = y;
    let is_0_or_1 = first <= 1 && last == 0 && middle.iter().all(|byte| *byte == 0);
    let is_next_to_p =
        (0xec..=0xee).contains(&first) && last == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    is_0_or_1 || is_next_to_p || ORDER_8.contains(&y)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{Algorithm, DecodingKey};

    use super::super::key::Key;
    use super::*;

    /// The five `y` coordinates of the eight points.
    const CANONICAL: [&str; 5] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];

    /// 0 and 1 with p added, which a lenient decoder accepts.
    const UNREDUCED: [&str; 2] = [
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    fn decode_hex(text: &str) -> [u8; 32] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    /// The points with these `y` coordinates, each with both signs of x.
    fn points(coordinates: &[&str]) -> Vec<[u8; 32]> {
        coordinates
            .iter()
            .flat_map(|text| {
                let positive = decode_hex(text);
                let mut negative = positive;
                negative[31] |= 0x80;
                [positive, negative]
            })
            .collect()
    }

    #[test]
    fn points_of_small_order_are_detected_in_each_encoding() {
        for point in points(&CANONICAL).iter().chain(&points(&UNREDUCED)) {
            assert!(has_small_order(point), "{point:x?}");
        }
    }

    #[test]
    fn an_ordinary_point_has_no_small_order() {
        // RFC 8037 appendix A.2.
        let point = URL_SAFE_NO_PAD
            .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
            .unwrap();
        assert!(!has_small_order(point.as_slice().try_into().unwrap()));
    }

    #[test]
    fn anyone_can_sign_for_a_point_of_small_order() {
        let canonical = points(&CANONICAL);
        // Every second point: each `y` with one sign of x.
        for point in canonical.iter().step_by(2) {
            let key = Key {
                algorithm: Algorithm::EdDSA,
                decoding: DecodingKey::from_ed_der(point),
                material: Vec::new(),
            };
            // S = 0, and R a multiple of the public key.
            let is_forged = canonical.iter().any(|r| {
                let signature = URL_SAFE_NO_PAD.encode([r.as_slice(), &[0; 32]].concat());
                (0..64_u8).any(|message| key.verifies(&[message], &signature))
            });
            assert!(is_forged, "{point:x?}");
        }
    }
}

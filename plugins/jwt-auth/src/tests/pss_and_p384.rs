//! RSASSA-PSS and ECDSA over P-384: keys and tokens that `cryptography` of Python, and so OpenSSL, has made.

/// Of 2048 bits.
pub(super) const PSS_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqjyTVmaXaBGwcV+WTRtY\n\
    s7oQKAmoctz3ifBr0AiKKx/jl1rgwtS8YpDyxynoHl7m+XG5ukNxTVeB6lZjWR/X\n\
    hDtpU4Zxo0E3+TUjV0OiBvLZjFmRHQEKQDXoquRla5HG4+M4bD7UMAI3siYhLZDz\n\
    0K/qEKA9DtEzhQlXhAXXrnD8S8thC+lluezM+SW41SOn0boD0ZmpyLzzj0fjCQe2\n\
    m26mAWhpTkIs0z9jRosLXsAZ/IezM7YxkQ2vQHNuf6DvOy++g8X78w5yQldN+oRQ\n\
    YP4x3mIis/+QT2k1GB+mbhg8N1Vwbl/4lDA0wkpyKO+cZMIZ65d/KnOb/3yPrnEI\n\
    twIDAQAB\n\
    -----END PUBLIC KEY-----";

/// Of `alice`, who has until 2033; signed with that key.
pub(super) const PS256: &str = "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.hYlkmtxGEMr75CoBdhlYpFbTvEZDDxS_CnvzhHXQb2YuEo1Oan0cK7qzUmtVhorUN6-L-RLH_Tzifw7L5cN2NcOJ_X9FWelyDJDJBAXuyLU4LD0r-A8BNateHqW53r2dmG1kWsEPQlYM-bH2L-HZZCjuHCO4rnoctBVzBIDhUy-hHtSl5RX09vzSIZ_fvRwpjU5yBbUduGPpEYXFLKlc8mRzrjamfKN62U624NVu5DrxrcO0UWm8X1Rm-IDMMYcaJUq_bwyP8T7A3fnOuwpuGqAIxJLB6cxoFCEwkyJbLPC11ooqQlPsX-9iU4GWjxHQZkrCr6IWCv8yECKlXMEARw";

/// Of `alice`, who has until 2033; signed with that key.
pub(super) const PS384: &str = "eyJhbGciOiJQUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.Xo0c6wc7228rkajvCdpTJpsv2uGtydhKQ5GUu55RMdvdwXn-qs09sCBce3Zh9WQYuEJ6Nn0pYrpYBMPXkV_YRcl-Cn_f4Hq482jFrSOKtdCas8rlS36oBD9Sf7uNq3lsAphhtwVo41pB1VQZeB-YsaC2lvn_tDErvlfghkWdefrmohyBMhLTDDy-A0Kbjws73R4f0jgfTecXX-qL_jj8AWGAKbh53G6CKX3nQxwZXwddxXjjZWwO1p2Gzq_mO_CmOMGwolIWFhHiwo8V02S3-KQSMWxye2bDbFiiHyUYxpl5NRXb6x3A43vcfjHpIwLIx2BVn6CW0YzMkfPqaPGBrg";

/// Of `alice`, who has until 2033; signed with that key.
pub(super) const PS512: &str = "eyJhbGciOiJQUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.p1wkEsO-IIGmh5y9-q9CdQ3OsBXpxMpGDV8tHqcWxla8ftCpJQMvMyWQQx2_xO7U2N7UCf0FL-KABukVDRMNYlFt-0tNw4P-0NeHhZ2gu_Tzh5wm71tQld2PCS5OP7sVjA8QIKpMYcdibvFchDhTWZgju16yR-P0C3oGNu3btu29d92DQp2Etv94ZFmf1c7Ozar2gEBwsrRvqEgkeo-cGlmlalI0KLeLWdPoPeK50H8NUl3F_-Fvlfy3oJYY9Dtfzl5KKDhkkyGUUWVH-VRqKr0S6ROygAU5y44iQb2k3q9UYNTluGX6fmjNqhlgt6zcAEGQBlo23aGVE-PnH_MD8g";

/// The same, with a shorter salt than RFC 7518 (section 3.5) asks for.
pub(super) const PS256_SHORT: &str = "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.g-R9KrLwcvX8y7n71UkrpMHO8ZE8vzuwVr3FIChlBa6UKyD9r7SiipajfCmNgvXOOW0ekvc-i80DTseGI4pzCvA_MVaLtIOW4gk-ryc6P3vaaDwLKr-boVABeZyRcGcHLStpG-lp8btbAZb3e6vLKFEn8DZdkvuw0o5baOwx-JTAnKkbnbAqnEMIveCPm3w1TLQyltk__FQyPbhgnqgF2UNIVnSbpaO9svGY264fZSm9RBCqy3e7A-8KUoNMEkMc8qmXWa7fXamf1xBi_p77uJgZJFp6zv6H1wYRoaAL6czgKdVvFugwfWK7_pGLyw554u7q7Sg8ez6XEttQPh7fWQ";

/// On P-384.
pub(super) const P384_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEqrcEao72zFgdqZByj+ZHEkekz1gyu6nU\n\
    bTG05zrp4fs/GGS/lt7e1NzYTZKhprhtC3t0ktUJVc5a+vKTP5+AyWEUIR3WVHy5\n\
    ve/y3k6j9B1sSWWxnlakHiTIue+38VpZ\n\
    -----END PUBLIC KEY-----";

/// The same key as JSON.
pub(super) const P384_JWK: &str = r#"{"kty":"EC","crv":"P-384","x":"qrcEao72zFgdqZByj-ZHEkekz1gyu6nUbTG05zrp4fs_GGS_lt7e1NzYTZKhprht","y":"C3t0ktUJVc5a-vKTP5-AyWEUIR3WVHy5ve_y3k6j9B1sSWWxnlakHiTIue-38VpZ","kid":"ec-384"}"#;

/// Of `alice`, who has until 2033; signed with that key.
pub(super) const ES384: &str = "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.P7ZXCVWnSBZvNaGiJ3vW-xks-wgZuZebZlCSR8Rjkj7mlk_a4TMkSRHAY57VWxdAogtcyHGQ96iq7xwx9oZIaR2oQ7EXvbsUIuRbHoJc4uRExSHh1OLd7w8oKsYP9KmN";

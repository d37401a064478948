//! Keys and tokens that PyJWT and OpenSSL have made.

/// Of 2048 bits.
pub(super) const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtXBrhm96QaAeOGp6/j+5\n\
    K2BeO3vYm285Ct3K0UU8PHBZRQ+kmk7cCxi5Yd4+gNCgc8QDP+zuO+pPn68yo7l+\n\
    kqOd9ctGUDrzySvhHLxO5CU6OiDdmBwjUI74puDeMmsYSCGOZLM2GD8odeQH6Czu\n\
    HY/NyPgKYu54EAwErhqZRWi6dXaHe8BazqthFKNL6UgNPfG59F3HSO2UcjITqhfq\n\
    JOSAvWJQUeipgQoKpzivM61QyKFtkZUXnYF0H8KHc0pQCCj9ytEnuzrmNwSN98Gw\n\
    yx6wmErjO8Q2sIrIS5IKHzQXngdj7m0mrZfTrf6B3JgTxe6+SSaEe91riYlNuPLd\n\
    CwIDAQAB\n\
    -----END PUBLIC KEY-----";

/// The same key in the form that OpenSSL once had for it.
pub(super) const RSA_PKCS1_PEM: &str = "-----BEGIN RSA PUBLIC KEY-----\n\
    MIIBCgKCAQEAtXBrhm96QaAeOGp6/j+5K2BeO3vYm285Ct3K0UU8PHBZRQ+kmk7c\n\
    Cxi5Yd4+gNCgc8QDP+zuO+pPn68yo7l+kqOd9ctGUDrzySvhHLxO5CU6OiDdmBwj\n\
    UI74puDeMmsYSCGOZLM2GD8odeQH6CzuHY/NyPgKYu54EAwErhqZRWi6dXaHe8Ba\n\
    zqthFKNL6UgNPfG59F3HSO2UcjITqhfqJOSAvWJQUeipgQoKpzivM61QyKFtkZUX\n\
    nYF0H8KHc0pQCCj9ytEnuzrmNwSN98Gwyx6wmErjO8Q2sIrIS5IKHzQXngdj7m0m\n\
    rZfTrf6B3JgTxe6+SSaEe91riYlNuPLdCwIDAQAB\n\
    -----END RSA PUBLIC KEY-----";

/// The same key as JSON.
pub(super) const RSA_JWK: &str = r#"{"kty":"RSA","n":"tXBrhm96QaAeOGp6_j-5K2BeO3vYm285Ct3K0UU8PHBZRQ-kmk7cCxi5Yd4-gNCgc8QDP-zuO-pPn68yo7l-kqOd9ctGUDrzySvhHLxO5CU6OiDdmBwjUI74puDeMmsYSCGOZLM2GD8odeQH6CzuHY_NyPgKYu54EAwErhqZRWi6dXaHe8BazqthFKNL6UgNPfG59F3HSO2UcjITqhfqJOSAvWJQUeipgQoKpzivM61QyKFtkZUXnYF0H8KHc0pQCCj9ytEnuzrmNwSN98Gwyx6wmErjO8Q2sIrIS5IKHzQXngdj7m0mrZfTrf6B3JgTxe6-SSaEe91riYlNuPLdCw","e":"AQAB","kid":"rsa-1","use":"sig"}"#;

/// Of `alice`, who has until 2033; signed with that key.
pub(super) const RS256: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.S3UeynrcLfBVLsIk3Nx-FBWrpTwlBRPG_uXVjsCtOZpsl7Y1HAz92gytbWHk2MJoKQ-rlsnsAVMfascR9hRb3ljdHrbtnZYnLKbiqYvaoFjPtqwS4o9SCTLJvW-KuOw42SgTdnVlwEZQK7EeLlFQLH8YhP_7yx_ryj_ox__obRns05VZceDwWQq8UpH1UZg75dfMTwkqRmM7ToRkX238q4Y3iNqXUNd6n9fZEnBAjA4PiOvzr3TISxOdfKHtwov36xkjiZypfv98ekMmQX_MVmwQOcWHgmX1lfhr1En-765mL-HdjmyFrgUn0y107QB3aFbhzxsNCCfEzFF6m7uTwQ";

/// The same.
pub(super) const RS384: &str = "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.fBNaVnmx5qSJshRJS7KrslLH_tvVuntTBwXPw8zO0GW2pIutrvDbrZB_63xzqydimo5mkKQHVVWsFxgec1FKXi5Das-GJi_s0Wrhp67ZOd4kNevbrG50eycX2w0WUe81Oa81crwxaT6btE1mhyy9kbO4I1d8EuD_VRGT3GUkqTynu-8WCN9xoBaKWZo2A0mM_2plZV-4StKucXKxEQ3i0e9lfCZDPgrSbZVKcIvW8wPxR0P1H0a7uyq5Bm1Yk8JWQoPZguf8E6X-G1gH2qvC49hYiOlTXhnoriiMngNsP1mQm8X29-CcEJTG1o8AkL28QXbm853FKmeeFQ5vw9zEmw";

/// The same.
pub(super) const RS512: &str = "eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.DpBvXuqX2-PcgY7RQ2cMjMi-mTCa3cAfityENn1RfilpSdyObBRgRqqOQ5LqCahda2pIWI3tp76R9rGl8vAOdxQMSJGSMz2P7VFYiFQqy8U36U31xO3FaEuWL5PmsXqKg4EGzupbk5g2eTONyF0-hS8rxTzK5eRLOLB0r3IJ3xuh-JhWzSrz3snzaffy3O48pll_94l8hFABNZGEMuGozPmJLHnXCLq3F9JMCbKJYqZz8HjRG8iYvniwwrs6mahuro2sMpxtDN3XiAp4wRXfkbv6iP2keT_gD-Cx9z4ZA899AjZ0JvHpLwpELZ3t7Ymn10JTftmBKSS4jZoPMgnLgA";

/// The same, and it names its key.
pub(super) const RS256_KID: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.VXiWEdRXJWUSOV9-oHcvXh5U3PdXYUDiOzCCclfiPv_0Mi6TUza5wIQjqmQuedSPXVTeUvFHf6ChT1uKVYzylLhrBoNjT7oghkyK_iW14lpFZBLjdayNy8Ggl0r0GbYEaZojZn-k7adYw4akUDFA_08tZOs0uP7BCbJC1ZWGO_1y_Z_z7RRbX6keup1Uo4TIRP79mVDnF2VxWTlfaL9elzp-P-axd18LgLpl5fQrUEb66mMA8lxJjy1LARhHYQVD0hsnFYpjVuGCUsz4WvMoBdyFg6j4buqDL28yX0Qg_Bzwtb8m_E8LIBq1jeZDaOfbyxMIjB-ENWVbhUulAn85pw";

/// Of 4096 bits.
pub(super) const RSA_4096_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAkHBVuteJ56G9QyrgdVS5\n\
    A+mCH1swscY66FCD749bl6VNNB4bmMv/zuAyU8DgQ0yyCaxqQkKfgAA/DfWHqHMl\n\
    ARcgxOEd4IHavW3HGKbJASfXyVJ4YyD/SN2/II4EqwbLtUitEFxvqrulmNLvdWCO\n\
    jrw63e7BVGB1t0qfXC7/75y4MRQu5npLCBAKx3omzkbfu+uBeJdUNORNAE0qjMPf\n\
    RR8EPNeSVz980aWdZF8JzYvn38FQTnMJQUVzh4U9k9E1kDGSENWkI9s9mA/pMVRw\n\
    ATVTCw2Sa8bSBlaqUQcWpZPlpGyScH8+oyMhC8vqmhrV4GwI2VSvDLIXy6pizukq\n\
    aP4iYVbp0fsWkmtTaOV+Bjo/0pdU5e7ojqNqzedjhrm6YBeBYoveiH8bktz9a9bJ\n\
    1u99MpTsC2eNv6SEdSfM253uSlqEE8nVMv3JDNHiMMkQFcnkCjAXU3qvdQzDFyPC\n\
    B7zYyIAFEn+TgE0j6/gqBDJnXOZWFw4P7nkTx7uXh4yt+v79Aj/9r65E/RT6xST4\n\
    JFc4JMUbb580S03aYd853nh+9O/r9a9zX50kZRoCI3nZqR08iSESKXK6g0KXTo0m\n\
    D3I5amhyHS2tRW1uw0kr9wV1V8tUsIjw1kaIQD5nFKIea2hKXuVhJ3expBctou+5\n\
    sZ4C9TX5ugQN3+wKKp7u6e0CAwEAAQ==\n\
    -----END PUBLIC KEY-----";

/// Signed with it.
pub(super) const RS256_4096: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.Jy7UpieWMllQEnl-kLRj5NCAOoSqM8PLjykm_oXZ7yPa5J3M9IjGrN56OQ8FYtEO0sxfOK9WCrYNHOBWr3mMeQsPvtFwY87e-zKav5gUwkT20qvhxT0tRuC6OY7yg6CS4m1P3ECuODFDlUIDeqMTGUpANrNHo4JgcogYPiYR_Qu26LqpSqNCOVCNEL0BFNx_LOXuWPyGQz2JNi4ZhhMH3BGL_kdN4o5R4hd7CO8qfXjI0hJKdtwTeqpqx86-keGOdUGXKS_vmS2eRa5kg-pHPu9fFnmZjnHqN_QsArqKIUZw9nw-2CNec7Cadoz7IGkUId5pR23Bxqncr9LezF-e-rMHJ0bQffD3fZwRwUOjzCcC5UPhw0cXBNeRdd17ebYqUD5VBBNmgXyAQVltzoQuR2OCUKOvHknKVCdigOAA8sDBgZ30xdfrpHVR9N4XFUev-j-u989sIKy0s14ApGKGChUG7HA2HMyLKbSRQ1k_VLL2VL94tHBUC3f7LKOdjcLLevBtbQ27e71E9GA-G7NleUBWiW0yejY9hUTR8sAcnFdPnwzCOVQVuvHa_FjGRtsd_9qJPjuEvHuPZL_KvTokx0rMj-OKh6QDYoc5DKDNm5ZTx2zisRdtuuy2wX4Uog_U1AR1gasK_V6VbyKbuJYL5wHMM3txPdbpjuJoKzEkuoM";

/// Too small.
pub(super) const RSA_1024_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDdElvMNzsGLahsyi2T5xv7LXcM\n\
    5gWTsNoDg/8KKEzpzqRwKvtX6eN+5F1XcoyjSSUG/0tbFJxmjNPD3QLKEG/O1hmk\n\
    Mwf4+3gB6kQRRxgIaxOdClr8VYaxL/1zhqgGdsuMibN48XOtFwBJIirEpE0NucfP\n\
    qDG3YbGYYbnrTgUdTQIDAQAB\n\
    -----END PUBLIC KEY-----";

/// On P-256.
pub(super) const EC_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhtLB2iN8LxrBmbDJAUfaNamA/dD7\n\
    XMmxI4a5Qnly3EqhYU2kW7zyBwAyEjx7oM8rJhtcAwyGOOA8UJoOH1SDEw==\n\
    -----END PUBLIC KEY-----";

/// The same key as JSON.
pub(super) const EC_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"htLB2iN8LxrBmbDJAUfaNamA_dD7XMmxI4a5Qnly3Eo","y":"oWFNpFu88gcAMhI8e6DPKyYbXAMMhjjgPFCaDh9UgxM","kid":"ec-1","alg":"ES256"}"#;

/// Signed with it.
pub(super) const ES256: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.VBfowmwAgnpwNw7CutOyROg6mFDQVF-7Esv-VlKEIx3ER9SoRgR6_Y8CjNrrcb1X6BPNFm5P99yiz76xFgCnTA";

/// The same, and it names its key.
pub(super) const ES256_KID: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjLTEiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.2E0p98ybyr_B0IzGNxuBxiPf9UcDsiFBW4SAiVmD8pwi3W9PhrzFbCHe07f8n2-rfXM_YNKGdYCWXw1gykFt3Q";

/// On another curve.
pub(super) const EC_P521_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBv7VSnwSUBtAS3KFNuuccBp9I5k4c\n\
    B/mV5bZpvXRAkYlZYAUrDofsxl5STBYJcuvQB9pDtKJyHT6G2adACMPLLiAAZrYW\n\
    wm6B5RDRS5Y50+Cuk3H4sf6EjZAUmeAsxgOJByNHh8JsMU7e9G2L70PjixBMXz8c\n\
    0EafIj4D3bkVaeMvBdk=\n\
    -----END PUBLIC KEY-----";

/// An Ed25519 key.
pub(super) const ED_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAc1bXJN96aJLYfdlAJvC3BOJdKzrQpaDVJDB/5w4c68I=\n\
    -----END PUBLIC KEY-----";

/// The same key as JSON.
pub(super) const ED_JWK: &str = r#"{"x":"c1bXJN96aJLYfdlAJvC3BOJdKzrQpaDVJDB_5w4c68I","kty":"OKP","crv":"Ed25519","kid":"ed-1"}"#;

/// Signed with it.
pub(super) const EDDSA: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMDAwMH0.yfhS_OcMbnb5HyUbTVkQZ9xhSYcGEVPf24AR2NaoxJkctQD3KybL3FIe3srmmmxf-bZq_cwWolDryaBiNWcZCg";

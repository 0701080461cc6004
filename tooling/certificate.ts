/**
 * A certificate of graph.example and 127.0.0.1, issued by itself, with its key: for servers of tests. Nobody trusts it who is
 * not told to.
 */
export const certificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBcjCCARmgAwIBAgIBATAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1ncmFwaC5l
eGFtcGxlMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD
VQQDDA1ncmFwaC5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWp6p
Y5M/iYWk1OvNOFWWxQqGW+1V3s474TMGZxD8ekDNP4GFJdjyhSDt8dYTxm+jvpcg
U4GxUaJCzDW6srkUpqNSMFAwHgYDVR0RBBcwFYINZ3JhcGguZXhhbXBsZYcEfwAA
ATAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBQCpDYtkYvbGompZKO47NBhSLgQ
6zAKBggqhkjOPQQDAgNHADBEAiA7XFM84xpqkm6tFqIMXOeYSQ65OGLqCQjFjkg/
RQuVWAIgIcRDg58BHF7zr0gwttKguy9EHCkEU5iD6RWyCdE0oog=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgaDqbvtw/zMr5riQX
2cRtwkBNSHcwxVyeE78cb8xQU+OhRANCAARanqljkz+JhaTU6804VZbFCoZb7VXe
zjvhMwZnEPx6QM0/gYUl2PKFIO3x1hPGb6O+lyBTgbFRokLMNbqyuRSm
-----END PRIVATE KEY-----
`
} as const

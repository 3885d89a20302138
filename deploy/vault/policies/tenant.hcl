# What acmeproxy may do for one tenant, and no more: sign with one role, revoke, and look for what was signed.
# Policy "acmeproxy" in the namespace of the tenant.

path "pki/sign/acme" {
  # "update" alone: a sign is never a "create".
  capabilities = ["update"]

  # What acmeproxy sends. "cert_metadata" is asked of Vault Enterprise from 1.17 on; others have no such parameter.
  allowed_parameters = {
    "csr"                     = []
    "common_name"             = []
    "alt_names"               = []
    "ip_sans"                 = []
    "exclude_cn_from_sans"    = []
    "ttl"                     = []
    "not_after"               = []
    "format"                  = ["pem"]
    "remove_roots_from_chain" = []
    "cert_metadata"           = []
  }
}

# What the role allows, so that an order is refused early and with the reason.
path "pki/roles/acme" {
  capabilities = ["read"]
}

# Mount-wide: Vault cannot limit it to a role. Who may revoke what is checked by acmeproxy.
path "pki/revoke" {
  capabilities = ["update"]
}

# The chain, and other ways up from an issuer.
path "pki/issuer/default" {
  capabilities = ["read"]
}

path "pki/issuers" {
  capabilities = ["list"]
}

# After a lost answer: was it signed? Then that certificate is taken, and no second one asked for.
path "pki/certs" {
  capabilities = ["list"]
}

path "pki/certs/detailed" {
  capabilities = ["list"]
}

path "pki/cert/*" {
  capabilities = ["read"]
}

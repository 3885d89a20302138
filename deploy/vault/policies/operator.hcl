# What `acmeproxy vault apply` and `rotate` need, and no more: for who builds, and for the hour in which it is done.
# Policy "acmeproxy-operator" in vault.namespace: "+" stands for each tenant's namespace below it. That
# namespace itself, and this policy in it, are made by whoever rules the server.
#
# It exports no key, removes nothing and reads no token. But who may write a tenant's policy and fetch a secret id
# of its AppRole can give himself all of that namespace: the token of this policy is a ruler's, if a small one's.

# Namespaces of tenants are made and not removed. Making one again is the same call, and empties its metadata.
path "sys/namespaces/*" {
  capabilities = ["create", "read", "update", "list"]
}

# The signing CA: its mount, key and request, its certificate and its settings.
path "sys/mounts" {
  capabilities = ["read"]
}

path "sys/mounts/pki" {
  capabilities = ["create", "read", "update"]
}

path "sys/mounts/pki/tune" {
  capabilities = ["read", "update"]
}

path "pki/config/cluster" {
  capabilities = ["create", "read", "update"]
}

path "pki/config/urls" {
  capabilities = ["create", "read", "update"]
}

path "pki/config/crl" {
  capabilities = ["create", "read", "update"]
}

path "pki/config/auto-tidy" {
  capabilities = ["create", "read", "update"]
}

path "pki/config/issuers" {
  capabilities = ["create", "read", "update"]
}

path "pki/intermediate/generate/internal" {
  capabilities = ["create", "update"]
}

# The key of an earlier run that was interrupted.
path "pki/intermediate/generate/existing" {
  capabilities = ["create", "update"]
}

path "pki/intermediate/set-signed" {
  capabilities = ["create", "update"]
}

path "pki/issuers" {
  capabilities = ["list"]
}

# One segment: what lies below an issuer would sign.
path "pki/issuer/+" {
  capabilities = ["read", "update", "patch"]
}

path "pki/keys" {
  capabilities = ["list"]
}

path "pki/key/+" {
  capabilities = ["read", "update"]
}

path "pki/tidy-status" {
  capabilities = ["read"]
}

path "pki/crl/rotate" {
  capabilities = ["read"]
}

# It signs issuing CAs: none without name constraints and a path length.
path "pki/root/sign-intermediate" {
  capabilities        = ["update"]
  required_parameters = ["permitted_dns_domains", "max_path_length"]
}

path "pki/roles/*" {
  capabilities = ["read", "list"]
}

# Not its own, whatever is said of others.
path "sys/policies/acl/acmeproxy-operator" {
  capabilities = ["deny"]
}

path "sys/policies/acl/acmeproxy-reader" {
  capabilities = ["create", "read", "update"]
}

# The reader: the login of `doctor`, beside the signing CA.
path "sys/auth" {
  capabilities = ["read"]
}

# Vault asks for "sudo" wherever a login method is enabled.
path "sys/auth/approle" {
  capabilities = ["create", "read", "update", "sudo"]
}

path "auth/approle/role/acmeproxy-reader" {
  capabilities = ["create", "read", "update"]
}

path "auth/approle/role/acmeproxy-reader/role-id" {
  capabilities = ["create", "read", "update"]
}

path "auth/approle/role/acmeproxy-reader/secret-id" {
  capabilities = ["create", "update"]
}

path "auth/approle/role/acmeproxy-reader/custom-secret-id" {
  capabilities = ["create", "update"]
}

path "auth/approle/role/acmeproxy-reader/secret-id/lookup" {
  capabilities = ["create", "update"]
}

path "identity/lookup/entity" {
  capabilities = ["create", "update"]
}

path "identity/entity" {
  capabilities = ["create", "update"]
}

path "identity/entity/name/acmeproxy-reader" {
  capabilities = ["create", "read", "update"]
}

path "identity/entity-alias" {
  capabilities = ["create", "update"]
}

path "identity/entity-alias/id/*" {
  capabilities = ["read", "update"]
}

# The tenants: the mount with its issuing CA.
path "+/sys/mounts" {
  capabilities = ["read"]
}

path "+/sys/mounts/pki" {
  capabilities = ["create", "read", "update"]
}

path "+/sys/mounts/pki/tune" {
  capabilities = ["read", "update"]
}

path "+/pki/config/cluster" {
  capabilities = ["create", "read", "update"]
}

path "+/pki/config/urls" {
  capabilities = ["create", "read", "update"]
}

path "+/pki/config/crl" {
  capabilities = ["create", "read", "update"]
}

path "+/pki/config/auto-tidy" {
  capabilities = ["create", "read", "update"]
}

path "+/pki/config/issuers" {
  capabilities = ["create", "read", "update"]
}

path "+/pki/intermediate/generate/internal" {
  capabilities = ["create", "update"]
}

# The key of an earlier run that was interrupted.
path "+/pki/intermediate/generate/existing" {
  capabilities = ["create", "update"]
}

path "+/pki/intermediate/set-signed" {
  capabilities = ["create", "update"]
}

# Parents without a key, where an issuing CA was imported alone.
path "+/pki/issuers/import/cert" {
  capabilities = ["create", "update"]
}

path "+/pki/issuers" {
  capabilities = ["list"]
}

# One segment: what lies below an issuer would sign.
path "+/pki/issuer/+" {
  capabilities = ["read", "update", "patch"]
}

path "+/pki/keys" {
  capabilities = ["list"]
}

path "+/pki/key/+" {
  capabilities = ["read", "update"]
}

path "+/pki/tidy-status" {
  capabilities = ["read"]
}

path "+/pki/crl/rotate" {
  capabilities = ["read"]
}

path "+/pki/roles/*" {
  capabilities = ["create", "read", "list", "update", "patch"]
}

# The tenants: a certificate from a new issuing CA before it becomes the default, revoked at once.
path "+/pki/issuer/+/sign/+" {
  capabilities = ["update"]
}

path "+/pki/revoke" {
  capabilities = ["update"]
}

# The tenants: policy and login.
path "+/sys/policies/acl/acmeproxy" {
  capabilities = ["create", "read", "update"]
}

path "+/sys/auth" {
  capabilities = ["read"]
}

# Vault asks for "sudo" wherever a login method is enabled.
path "+/sys/auth/approle" {
  capabilities = ["create", "read", "update", "sudo"]
}

path "+/auth/approle/role/acmeproxy" {
  capabilities = ["create", "read", "update"]
}

path "+/auth/approle/role/acmeproxy/role-id" {
  capabilities = ["create", "read", "update"]
}

path "+/auth/approle/role/acmeproxy/secret-id" {
  capabilities = ["create", "update"]
}

path "+/auth/approle/role/acmeproxy/custom-secret-id" {
  capabilities = ["create", "update"]
}

path "+/auth/approle/role/acmeproxy/secret-id/lookup" {
  capabilities = ["create", "update"]
}

# The tenants: the entity whose metadata templated policies read.
path "+/identity/lookup/entity" {
  capabilities = ["create", "update"]
}

path "+/identity/entity" {
  capabilities = ["create", "update"]
}

path "+/identity/entity/name/acmeproxy" {
  capabilities = ["create", "read", "update"]
}

path "+/identity/entity-alias" {
  capabilities = ["create", "update"]
}

path "+/identity/entity-alias/id/*" {
  capabilities = ["read", "update"]
}

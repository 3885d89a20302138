# Reads how the mounts are configured and what was issued, for the reconciler and `acmeproxy doctor`. Changes nothing.
# Policy "acmeproxy-reader" in vault.namespace: "+" stands for each tenant's namespace below it.

# The signing CA's own mount.
path "pki/roles/*" {
  capabilities = ["read", "list"]
}

path "pki/issuers" {
  capabilities = ["list"]
}

path "pki/issuer/*" {
  capabilities = ["read"]
}

path "pki/config/*" {
  capabilities = ["read"]
}

path "pki/tidy-status" {
  capabilities = ["read"]
}

path "pki/certs" {
  capabilities = ["list"]
}

path "pki/certs/detailed" {
  capabilities = ["list"]
}

path "pki/cert/*" {
  capabilities = ["read"]
}

path "sys/mounts/pki/tune" {
  capabilities = ["read"]
}

# The mounts of the tenants.
path "+/pki/roles/*" {
  capabilities = ["read", "list"]
}

path "+/pki/issuers" {
  capabilities = ["list"]
}

path "+/pki/issuer/*" {
  capabilities = ["read"]
}

path "+/pki/config/*" {
  capabilities = ["read"]
}

path "+/pki/tidy-status" {
  capabilities = ["read"]
}

path "+/pki/certs" {
  capabilities = ["list"]
}

path "+/pki/certs/detailed" {
  capabilities = ["list"]
}

path "+/pki/cert/*" {
  capabilities = ["read"]
}

path "+/sys/mounts/pki/tune" {
  capabilities = ["read"]
}

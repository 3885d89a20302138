# Turns a policy of this directory into one for a server without namespaces (vault.layout = "paths"), where a
# namespace is the beginning of the names of mounts:
#   sed -E -f without-namespaces.sed tenant.hcl | sed 's#PREFIX#admin/team-a#'
#   sed -E -f without-namespaces.sed reader.hcl | sed 's#PREFIX#admin#'
s#^path "(\+/)?pki/#path "PREFIX/\1pki/#
s#^path "(\+/)?sys/mounts/pki#path "sys/mounts/PREFIX/\1pki#
s#^path "(\+/)?sys/auth/approle#path "sys/auth/PREFIX/\1approle#
s#^path "(\+/)?auth/approle/#path "auth/PREFIX/\1approle/#
# There is one place for policies and entities, so a tenant's carry its name.
s#^path "\+/sys/policies/acl/acmeproxy"#path "sys/policies/acl/acmeproxy-*"#
s#^path "\+/identity/entity/name/acmeproxy"#path "identity/entity/name/acmeproxy-*"#
s#^path "\+/(sys|identity)/#path "\1/#

# Turns a policy of this directory into one for a server without namespaces (vault.layout = "paths"), where a
# namespace is the beginning of the names of mounts:
#   sed -E -f without-namespaces.sed tenant.hcl | sed 's#PREFIX#admin/team-a#'
#   sed -E -f without-namespaces.sed reader.hcl | sed 's#PREFIX#admin#'
s#^path "(\+/)?pki/#path "PREFIX/\1pki/#
s#^path "(\+/)?sys/mounts/pki#path "sys/mounts/PREFIX/\1pki#

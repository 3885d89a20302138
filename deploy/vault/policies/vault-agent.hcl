# What the Vault Agent of one host may do: have a certificate for its own name issued, key included.
# Policy "web-www" (one a host) in the namespace of the tenant. The values are compared as they are written:
# further names go into a list of alt_names that is exactly the one of the template.

path "pki/issue/acme" {
  capabilities = ["update"]

  allowed_parameters = {
    "common_name" = ["www.team-a.example"]
    "ttl"         = []
  }
}

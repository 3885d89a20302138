# What may be signed. Everything that has an unsafe default is said.
#
# A generic endpoint, because the provider's own resource for roles does not know OpenBao's not_after_bound: without
# it a caller may have any lifetime he likes, by not_after. Nor does it know allowed_ip_sans_cidr. Vault ignores both.

resource "vault_generic_endpoint" "role" {
  for_each = merge([
    for name, tenant in var.tenants : {
      for role, rules in tenant.roles : "${name}/${role}" => merge(rules, { tenant = name, role = role, domains = tenant.domains })
    }
  ]...)

  namespace            = local.places[each.value.tenant].namespace
  path                 = "${vault_mount.tenant[each.value.tenant].path}/roles/${each.value.role}"
  ignore_absent_fields = true

  data_json = jsonencode({
    issuer_ref                  = each.value.issuer_ref
    allowed_domains             = each.value.domains
    allow_bare_domains          = true
    allow_subdomains            = true
    allow_wildcard_certificates = each.value.wildcards
    allow_glob_domains          = false
    allow_any_name              = false
    allow_localhost             = false
    allow_ip_sans               = length(each.value.addresses) > 0
    allowed_ip_sans_cidr        = each.value.addresses
    enforce_hostnames           = true
    use_csr_sans                = false
    use_csr_common_name         = false
    require_cn                  = false
    key_type                    = each.value.key_type
    key_bits                    = each.value.key_bits
    key_usage                   = ["DigitalSignature"]
    ext_key_usage               = []
    server_flag                 = true
    client_flag                 = false
    code_signing_flag           = false
    email_protection_flag       = false
    ttl                         = each.value.max_hours * 3600
    max_ttl                     = each.value.max_hours * 3600
    not_after_bound             = "ttl-limited"
    not_before_duration         = 60
    no_store                    = !each.value.store
    generate_lease              = false
  })
}

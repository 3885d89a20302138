# Who may: one policy, one AppRole and one entity a tenant, and one policy for those who only look.
# The texts of the policies are those of ../policies, with other names where these differ.

locals {
  text = file("${path.module}/../policies/${var.policy == "templated" ? "tenant-templated" : "tenant"}.hcl")

  # The metadata key of each role: the tenant's own is "role", the others are "role_2" and so on.
  role_keys = {
    for name, tenant in var.tenants : name => merge(
      { (tenant.role) = "role" },
      { for number, role in [for role in keys(tenant.roles) : role if role != tenant.role] : role => "role_${number + 2}" }
    )
  }

  # The text once for every role; what is said twice about a path is the same.
  policies = {
    for name, tenant in var.tenants : name => join("\n", [
      for role, key in local.role_keys[name] : replace(replace(replace(local.text,
        "/acme\"", "/${role}\""),
        "metadata.role}}", "metadata.${key}}}"),
      "path \"pki/", "path \"${local.places[name].mount}/")
    ])
  }

  reader = file("${path.module}/../policies/reader.hcl")

  reader_below = replace(replace(replace(replace(local.reader,
    "path \"pki/", "path \"${var.namespace}/pki/"),
    "path \"+/pki/", "path \"${var.namespace}/+/pki/"),
    "path \"sys/mounts/pki", "path \"sys/mounts/${var.namespace}/pki"),
  "path \"+/sys/mounts/pki", "path \"sys/mounts/${var.namespace}/+/pki")
}

resource "vault_policy" "reader" {
  namespace = local.above.namespace
  name      = "acmeproxy-reader"
  policy    = local.spaces ? local.reader : local.reader_below
}

resource "vault_policy" "tenant" {
  for_each = var.tenants

  namespace = local.places[each.key].namespace
  name      = local.places[each.key].policy
  policy    = local.policies[each.key]
}

resource "vault_auth_backend" "tenant" {
  for_each = var.tenants

  namespace = local.places[each.key].namespace
  type      = "approle"
  path      = local.places[each.key].login
}

resource "vault_approle_auth_backend_role" "tenant" {
  for_each = var.tenants

  namespace             = local.places[each.key].namespace
  backend               = vault_auth_backend.tenant[each.key].path
  role_name             = "acmeproxy"
  token_policies        = [vault_policy.tenant[each.key].name]
  token_period          = 3600
  token_type            = "service"
  token_bound_cidrs     = each.value.cidrs
  secret_id_bound_cidrs = each.value.cidrs
}

resource "vault_identity_entity" "tenant" {
  for_each = var.tenants

  namespace = local.places[each.key].namespace
  name      = local.places[each.key].entity
  metadata  = merge({ tenant = each.key }, { for role, key in local.role_keys[each.key] : key => role })
}

# An alias of an AppRole is named by its role id.
resource "vault_identity_entity_alias" "tenant" {
  for_each = var.tenants

  namespace      = local.places[each.key].namespace
  name           = vault_approle_auth_backend_role.tenant[each.key].role_id
  canonical_id   = vault_identity_entity.tenant[each.key].id
  mount_accessor = vault_auth_backend.tenant[each.key].accessor
}

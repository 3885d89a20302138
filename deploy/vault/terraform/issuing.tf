# One issuing CA a tenant, for its domains only. A new generation stands beside the old ones.

locals {
  generations = merge([
    for name, tenant in var.tenants : {
      for number in range(1, tenant.generation + 1) : "${name}/issuing-${number}" => { tenant = name, name = "issuing-${number}" }
    }
  ]...)
}

resource "vault_mount" "tenant" {
  for_each = var.tenants

  namespace   = local.places[each.key].namespace
  path        = local.places[each.key].mount
  type        = "pki"
  description = "acmeproxy: certificates of tenant ${each.key}"

  max_lease_ttl_seconds = each.value.lifetime_hours * 3600
}

resource "vault_pki_secret_backend_config_cluster" "tenant" {
  for_each = var.tenants

  namespace = local.places[each.key].namespace
  backend   = vault_mount.tenant[each.key].path
  path      = local.places[each.key].url
  aia_path  = "${var.aia_url}/pki/${each.key}"
}

resource "vault_pki_secret_backend_config_urls" "tenant" {
  for_each = var.tenants

  namespace               = local.places[each.key].namespace
  backend                 = vault_pki_secret_backend_config_cluster.tenant[each.key].backend
  enable_templating       = true
  issuing_certificates    = local.urls.issuing_certificates
  crl_distribution_points = local.urls.crl_distribution_points
  ocsp_servers            = local.urls.ocsp_servers
}

resource "vault_pki_secret_backend_intermediate_cert_request" "issuing" {
  for_each = local.generations

  namespace            = local.places[each.value.tenant].namespace
  backend              = vault_pki_secret_backend_config_urls.tenant[each.value.tenant].backend
  type                 = "internal"
  common_name          = coalesce(var.tenants[each.value.tenant].common_name, "acmeproxy ${each.value.tenant} issuing CA")
  exclude_cn_from_sans = true
  key_type             = "ec"
  key_bits             = 384
  key_name             = each.value.name
}

resource "vault_pki_secret_backend_root_sign_intermediate" "issuing" {
  for_each = local.signed ? local.generations : {}

  namespace             = local.above.namespace
  backend               = vault_mount.signing.path
  issuer_ref            = vault_pki_secret_backend_config_issuers.signing[0].default
  csr                   = vault_pki_secret_backend_intermediate_cert_request.issuing[each.key].csr
  common_name           = vault_pki_secret_backend_intermediate_cert_request.issuing[each.key].common_name
  exclude_cn_from_sans  = true
  ttl                   = "${var.tenants[each.value.tenant].lifetime_hours}h"
  max_path_length       = 0
  permitted_dns_domains = var.tenants[each.value.tenant].domains
}

# With everything above it: a mount that knows only its own CA hands out chains that end too early.
resource "vault_pki_secret_backend_intermediate_set_signed" "issuing" {
  for_each = local.signed ? local.generations : {}

  namespace   = local.places[each.value.tenant].namespace
  backend     = vault_mount.tenant[each.value.tenant].path
  certificate = join("\n", vault_pki_secret_backend_root_sign_intermediate.issuing[each.key].ca_chain)
}

resource "vault_pki_secret_backend_issuer" "issuing" {
  for_each = local.signed ? local.generations : {}

  namespace  = local.places[each.value.tenant].namespace
  backend    = vault_mount.tenant[each.value.tenant].path
  issuer_ref = vault_pki_secret_backend_intermediate_set_signed.issuing[each.key].imported_issuers[0]

  issuer_name = each.value.name

  # Near its end it signs for less time, rather than not at all.
  leaf_not_after_behavior = "truncate"
}

resource "vault_pki_secret_backend_config_issuers" "tenant" {
  for_each = local.signed ? var.tenants : {}

  namespace = local.places[each.key].namespace
  backend   = vault_mount.tenant[each.key].path
  default   = vault_pki_secret_backend_issuer.issuing["${each.key}/issuing-${each.value.generation}"].issuer_id
}

resource "vault_pki_secret_backend_crl_config" "tenant" {
  for_each = var.tenants

  namespace    = local.places[each.key].namespace
  backend      = vault_mount.tenant[each.key].path
  auto_rebuild = true
  enable_delta = true

  # Said although it is the default: left out, the provider's second run would write nothing instead.
  expiry                    = "72h"
  auto_rebuild_grace_period = "12h"
  delta_rebuild_interval    = "15m"
}

resource "vault_pki_secret_backend_config_auto_tidy" "tenant" {
  for_each = var.tenants

  namespace          = local.places[each.key].namespace
  backend            = vault_mount.tenant[each.key].path
  enabled            = true
  tidy_cert_store    = true
  tidy_revoked_certs = true
}

# The signing CA: its key is made in Vault and stays there, its certificate comes from the external root.

resource "vault_mount" "signing" {
  namespace   = local.above.namespace
  path        = local.above.mount
  type        = "pki"
  description = "acmeproxy: signs issuing CAs, and nothing else"

  # Without them everything is cut to 768 hours, with a warning that nobody sees.
  max_lease_ttl_seconds = var.signing.lifetime_hours * 3600
}

resource "vault_pki_secret_backend_config_cluster" "signing" {
  namespace = local.above.namespace
  backend   = vault_mount.signing.path
  path      = local.above.url
  aia_path  = "${var.aia_url}/pki/_signing"
}

resource "vault_pki_secret_backend_config_urls" "signing" {
  namespace               = local.above.namespace
  backend                 = vault_pki_secret_backend_config_cluster.signing.backend
  enable_templating       = true
  issuing_certificates    = local.urls.issuing_certificates
  crl_distribution_points = local.urls.crl_distribution_points
  ocsp_servers            = local.urls.ocsp_servers
}

resource "vault_pki_secret_backend_intermediate_cert_request" "signing" {
  namespace            = local.above.namespace
  backend              = vault_pki_secret_backend_config_urls.signing.backend
  type                 = "internal"
  common_name          = var.signing.common_name
  exclude_cn_from_sans = true
  key_type             = "ec"
  key_bits             = 384
  key_name             = "signing-1"
}

resource "vault_pki_secret_backend_intermediate_set_signed" "signing" {
  count = local.signed ? 1 : 0

  namespace   = local.above.namespace
  backend     = vault_mount.signing.path
  certificate = var.signing_certificate

  depends_on = [vault_pki_secret_backend_intermediate_cert_request.signing]
}

resource "vault_pki_secret_backend_issuer" "signing" {
  count = local.signed ? 1 : 0

  namespace  = local.above.namespace
  backend    = vault_mount.signing.path
  issuer_ref = vault_pki_secret_backend_intermediate_set_signed.signing[0].imported_issuers[0]

  issuer_name             = "signing-1"
  leaf_not_after_behavior = "err"
}

data "vault_pki_secret_backend_issuer" "signing" {
  count = local.signed ? 1 : 0

  namespace  = local.above.namespace
  backend    = vault_mount.signing.path
  issuer_ref = vault_pki_secret_backend_issuer.signing[0].issuer_id

  lifecycle {
    postcondition {
      condition     = self.key_id != ""
      error_message = "signing_certificate begins with a certificate for another key: the signing CA's comes first, then the root."
    }
  }
}

resource "vault_pki_secret_backend_config_issuers" "signing" {
  count = local.signed ? 1 : 0

  namespace = local.above.namespace
  backend   = vault_mount.signing.path
  default   = data.vault_pki_secret_backend_issuer.signing[0].issuer_id
}

resource "vault_pki_secret_backend_crl_config" "signing" {
  namespace    = local.above.namespace
  backend      = vault_mount.signing.path
  auto_rebuild = true
  enable_delta = true

  # Said although it is the default: left out, the provider's second run would write nothing instead.
  expiry                    = "72h"
  auto_rebuild_grace_period = "12h"
  delta_rebuild_interval    = "15m"
}

resource "vault_pki_secret_backend_config_auto_tidy" "signing" {
  namespace          = local.above.namespace
  backend            = vault_mount.signing.path
  enabled            = true
  tidy_cert_store    = true
  tidy_revoked_certs = true
}

locals {
  urls = {
    issuing_certificates    = ["{{cluster_aia_path}}/issuer/{{issuer_id}}/ca"]
    crl_distribution_points = ["{{cluster_aia_path}}/issuer/{{issuer_id}}/crl"]
    ocsp_servers            = ["{{cluster_aia_path}}/ocsp"]
  }
}

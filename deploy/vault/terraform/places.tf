# Where things are. With namespaces a mount is "pki" in one; without, the namespace is the beginning of its name.

locals {
  spaces = var.layout == "namespaces"

  above = {
    namespace = local.spaces ? (var.make_namespace ? vault_namespace.above[0].path : var.namespace) : null
    mount     = local.spaces ? "pki" : "${var.namespace}/pki"
    url       = "${var.vault_url}/v1/${var.namespace}/pki"
  }

  places = {
    for name, tenant in var.tenants : name => {
      namespace = local.spaces ? vault_namespace.tenant[name].path_fq : null
      mount     = local.spaces ? "pki" : "${var.namespace}/${name}/pki"
      login     = local.spaces ? "approle" : "${var.namespace}/${name}/approle"
      policy    = local.spaces ? "acmeproxy" : "acmeproxy-${name}"
      entity    = local.spaces ? "acmeproxy" : "acmeproxy-${name}"
      url       = "${var.vault_url}/v1/${var.namespace}/${name}/pki"
    }
  }

  signed = var.signing_certificate != ""
}

resource "vault_namespace" "above" {
  count = local.spaces && var.make_namespace ? 1 : 0

  path = var.namespace
}

resource "vault_namespace" "tenant" {
  for_each = local.spaces ? var.tenants : {}

  namespace = local.above.namespace
  path      = each.key
}

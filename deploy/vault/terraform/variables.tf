variable "vault_url" {
  description = "The URL of Vault as it stands in config/cluster, without a path: https://vault.example:8200."
  type        = string

  validation {
    condition     = can(regex("^https?://[^/]+$", var.vault_url))
    error_message = "Scheme, host and perhaps a port: no path, no slash at the end."
  }
}

variable "aia_url" {
  description = "Where certificates say that CRL, OCSP and issuers are: the public URL of acmeproxy."
  type        = string

  validation {
    condition     = can(regex("^https?://[^/]+$", var.aia_url))
    error_message = "Scheme, host and perhaps a port: no path, no slash at the end."
  }
}

variable "layout" {
  description = "\"namespaces\", or \"paths\" for servers without them (Vault Community): as vault.layout of acmeproxy."
  type        = string
  default     = "namespaces"

  validation {
    condition     = contains(["namespaces", "paths"], var.layout)
    error_message = "It is namespaces or paths."
  }
}

variable "namespace" {
  description = "Where the signing CA lives and below which the tenants are: vault.namespace of acmeproxy."
  type        = string
  default     = "admin"

  validation {
    condition     = can(regex("^\\w([\\w.-]*\\w)?$", var.namespace))
    error_message = "One name, without a slash."
  }
}

variable "make_namespace" {
  description = "Whether var.namespace is made here. On HCP it is there already, and nothing is above it."
  type        = bool
  default     = true
}

variable "signing" {
  description = "The signing CA. It lives shorter than the root and longer than any issuing CA."
  type = object({
    common_name    = optional(string, "acmeproxy signing CA")
    lifetime_hours = optional(number, 52560)
  })
  default = {}
}

variable "signing_certificate" {
  description = "What the external root made of output signing_csr, followed by the root, PEM. Empty: the first run."
  type        = string
  default     = ""
}

variable "policy" {
  description = "\"plain\", or \"templated\" on the metadata of the login's entity."
  type        = string
  default     = "plain"

  validation {
    condition     = contains(["plain", "templated"], var.policy)
    error_message = "It is plain or templated."
  }
}

variable "tenants" {
  description = <<-EOT
    The tenants by name. `domains` are the name constraints of the issuing CA and what the roles allow.
    `generation`: 2 makes a second issuing CA beside the first and the default; the first goes on verifying.
    `role`: the role of a profile that names none; it must be one of `roles`. `cidrs`: whence the login works.
    `addresses`: ranges of IP addresses that a role allows. Vault knows no ranges and allows all, if there is one.
  EOT

  type = map(object({
    domains        = list(string)
    common_name    = optional(string)
    lifetime_hours = optional(number, 26280)
    generation     = optional(number, 1)
    role           = optional(string, "acme")
    cidrs          = optional(list(string), [])
    roles = optional(map(object({
      max_hours  = optional(number, 720)
      key_type   = optional(string, "any")
      key_bits   = optional(number, 0)
      wildcards  = optional(bool, true)
      addresses  = optional(list(string), [])
      store      = optional(bool, true)
      issuer_ref = optional(string, "default")
    })), { acme = {} })
  }))

  validation {
    condition     = alltrue([for tenant in var.tenants : length(tenant.domains) > 0])
    error_message = "An authority without a domain could issue all names."
  }

  validation {
    condition     = alltrue([for tenant in var.tenants : contains(keys(tenant.roles), tenant.role)])
    error_message = "The role of a tenant is one of its roles."
  }

  validation {
    condition = alltrue(flatten([
      for tenant in var.tenants : [for role in tenant.roles : role.max_hours <= 720]
    ]))
    error_message = "A leaf lives at most 30 days, 720 hours."
  }

  validation {
    condition     = alltrue([for name in keys(var.tenants) : can(regex("^\\w([\\w.-]*\\w)?$", name)) && name != "_signing"])
    error_message = "The name of a tenant is one of a namespace, and not _signing."
  }
}

# VAULT_ADDR and VAULT_TOKEN say where, and who builds.
provider "vault" {
  # No token below the operator's own: it is short-lived as it is.
  skip_child_token = true
}

variable "vault_url" {
  type    = string
  default = "https://vault.example:8200"
}

variable "layout" {
  type    = string
  default = "namespaces"
}

variable "policy" {
  type    = string
  default = "plain"
}

variable "signed" {
  description = "The file with the signing CA's certificate and the root's, once there is one."
  type        = string
  default     = "signing.pem"
}

variable "generation" {
  type    = number
  default = 1
}

module "acmeproxy" {
  source = "../.."

  vault_url           = var.vault_url
  aia_url             = "https://acme.example"
  layout              = var.layout
  policy              = var.policy
  signing_certificate = fileexists(var.signed) ? file(var.signed) : ""

  tenants = {
    team-a = {
      domains    = ["team-a.example"]
      generation = var.generation
      roles = {
        acme  = {}
        short = { max_hours = 24, key_type = "ec", key_bits = 256, wildcards = false }
      }
    }
    team-b = {
      domains = ["team-b.example"]
      roles   = { acme = { addresses = ["10.0.0.0/8"] } }
    }
  }
}

output "signing_csr" {
  value = module.acmeproxy.signing_csr
}

output "tenants" {
  value = module.acmeproxy.tenants
}

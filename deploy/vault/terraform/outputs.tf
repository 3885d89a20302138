output "signing_csr" {
  description = "For the external root: sign it with path length 1, and give certificate and root back."
  value       = vault_pki_secret_backend_intermediate_cert_request.signing.csr
}

output "tenants" {
  description = "For the settings of acmeproxy. The secret id is no output: it would lie in the state."
  value = {
    for name, tenant in var.tenants : name => {
      namespace   = local.spaces ? "${var.namespace}/${name}" : ""
      mount       = local.places[name].mount
      role        = tenant.role
      login_mount = local.places[name].login
      role_id     = vault_approle_auth_backend_role.tenant[name].role_id
    }
  }
}

output "issuing_certificates" {
  description = "The issuing CAs by tenant and generation, PEM."
  value       = { for key, signed in vault_pki_secret_backend_root_sign_intermediate.issuing : key => signed.certificate }
}

# Vault Agent (`bao agent`, `vault agent`) for the certificate of one host: docs/vault-agent.md.

pid_file = "/run/bao-agent/pid"

vault {
  address = "https://vault.example:8200"
  ca_cert = "/etc/bao-agent/vault-ca.pem"

  retry {
    num_retries = 5
  }
}

auto_auth {
  method "approle" {
    namespace  = "admin/team-a"
    mount_path = "auth/approle"

    config = {
      role_id_file_path   = "/etc/bao-agent/role-id"
      secret_id_file_path = "/etc/bao-agent/secret-id"

      # The default, true, leaves an agent that cannot log in after a restart of the host.
      remove_secret_id_file_after_reading = false
    }
  }
}

template_config {
  # Vault away for longer than the retries last: go on asking. The old certificate stays where it is.
  exit_on_retry_failure = false

  # How soon a change of the chain is seen that has nothing to do with our certificate.
  static_secret_render_interval = "5m"
}

template {
  source               = "/etc/bao-agent/server.tmpl"
  destination          = "/var/lib/bao-agent/server.pem"
  perms                = "0600"
  error_on_missing_key = true

  exec {
    command = ["/usr/sbin/nginx", "-s", "reload"]
    timeout = "30s"
  }
}

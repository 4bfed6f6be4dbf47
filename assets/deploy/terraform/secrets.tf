# Passwords. What is made here and where it is kept; the instances fetch them into files.

locals {
  # Unused secrets are kept for a while in production, so that a mistake can be taken back.
  secret_recovery_days = local.production ? 7 : 0
}

# Neither in the state nor in a plan: made anew in every run, and handed on only when the number
# beside it has changed.
ephemeral "random_password" "database" {
  for_each = local.database_users

  length  = 40
  special = false
}

resource "aws_secretsmanager_secret" "database" {
  # checkov:skip=CKV_AWS_149:Encrypted with the key that Secrets Manager has of its own
  # checkov:skip=CKV2_AWS_57:Rotated by password_version, so that instances are rolled with it
  for_each = local.database_users

  name_prefix             = "${var.name}/database/${each.key}-"
  description             = "Password of the database user ${each.key}, who may only read"
  recovery_window_in_days = local.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "database" {
  for_each = local.database_users

  secret_id                = aws_secretsmanager_secret.database[each.key].id
  secret_string_wo         = ephemeral.random_password.database[each.key].result
  secret_string_wo_version = each.value
}

# ElastiCache takes its token in no other way than one that the state keeps.
resource "random_password" "cache" {
  length  = 64
  special = false
  keepers = { version = var.password_version }
}

resource "aws_secretsmanager_secret" "cache" {
  # checkov:skip=CKV_AWS_149:Encrypted with the key that Secrets Manager has of its own
  # checkov:skip=CKV2_AWS_57:Rotated by password_version, so that instances are rolled with it
  name_prefix             = "${var.name}/cache-"
  description             = "Token of the Redis that ${var.name} caches in"
  recovery_window_in_days = local.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "cache" {
  secret_id                = aws_secretsmanager_secret.cache.id
  secret_string_wo         = random_password.cache.result
  secret_string_wo_version = var.password_version
}

# PostgreSQL. Its master's password is made, kept and rotated by RDS itself, in Secrets Manager.

resource "aws_db_subnet_group" "this" {
  name_prefix = "${var.name}-"
  subnet_ids  = [for subnet in aws_subnet.data : subnet.id]
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-17-"
  family      = "postgres17"

  # Nobody connects without TLS.
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # What unslow is for: statements that take a second or more. Milliseconds.
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Snapshots outlive what they are of, so that the next database of this name needs another one.
resource "random_id" "final_snapshot" {
  byte_length = 4
}

resource "aws_cloudwatch_log_group" "database" {
  # checkov:skip=CKV_AWS_158:Encrypted with CloudWatch's own key
  # checkov:skip=CKV_AWS_338:Kept as long as the profile says
  for_each = toset(["postgresql", "upgrade"])

  # RDS would make them itself, and keep them for good.
  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = local.profile.log_days
}

resource "aws_db_instance" "this" {
  # checkov:skip=CKV_AWS_118:Performance Insights shows waits by statement; metrics by the second add a role and cost
  # checkov:skip=CKV_AWS_161:The application logs in with a password, which is rotated by password_version
  # checkov:skip=CKV_AWS_133:One day in the demo, 14 in production; the check cannot read the profile
  # checkov:skip=CKV_AWS_157:Two zones in production; the demo can be made again
  # checkov:skip=CKV_AWS_293:Protected in production; the demo is to be destroyed with one command
  # checkov:skip=CKV_AWS_354:Encrypted with the key that RDS has of its own
  # checkov:skip=CKV2_AWS_30:Slow statements are logged; every statement would log its values too
  # checkov:skip=CKV2_AWS_69:rds.force_ssl is 1 in its parameter group
  identifier     = var.name
  engine         = "postgres"
  engine_version = "17"
  instance_class = coalesce(var.database_instance_class, local.profile.database_class)

  storage_type          = "gp3"
  storage_encrypted     = true
  allocated_storage     = local.profile.database_storage.first
  max_allocated_storage = local.profile.database_storage.most

  db_name                     = var.database_name
  username                    = "master"
  manage_master_user_password = true
  parameter_group_name        = aws_db_parameter_group.this.name
  ca_cert_identifier          = "rds-ca-rsa2048-g1"

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this["db"].id]
  port                   = local.database_port
  publicly_accessible    = false
  multi_az               = local.profile.database_standby

  backup_retention_period   = local.profile.backup_days
  copy_tags_to_snapshot     = true
  deletion_protection       = local.protected
  skip_final_snapshot       = !local.protected
  final_snapshot_identifier = local.protected ? "${var.name}-final-${random_id.final_snapshot.hex}" : null

  auto_minor_version_upgrade      = true
  apply_immediately               = !local.production
  performance_insights_enabled    = true
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  depends_on = [aws_cloudwatch_log_group.database]
}

# The set-up of the database: what only its master may do. A small instance of its own does it at
# its first boot and then stops: it makes the application's user, lets it read, and creates
# slow_version(). It alone may read the master's secret, and only while it runs; nobody can log in
# to it. It is replaced, and so runs again, when one of its facts changes: another program, another
# password, another schema. To have it run again without a change:
#   terraform apply -replace=aws_instance.setup

locals {
  # What is not told cannot be a reason to do it again.
  setup_facts = merge(
    { for name, value in local.facts : name => value if length(regexall("^(PORT$|QUERIES_|CACHE_)", name)) == 0 },
    { MASTER_SECRET = aws_db_instance.this.master_user_secret[0].secret_arn },
  )

  setup_user_data = templatefile("${path.module}/templates/cloud-init.yaml.tftpl", {
    command = "/usr/local/libexec/unslow/set-up-database.sh"
    files = [
      merge(local.facts_file, {
        content = join("\n", [for name, value in local.setup_facts : "${name}='${value}'"])
      }),
      local.common_file,
      {
        path    = "/usr/local/libexec/unslow/set-up-database.sh"
        mode    = "0755"
        content = file("${path.module}/scripts/set-up-database.sh")
      },
      {
        path    = "/usr/local/libexec/unslow/set-up-database.sql"
        mode    = "0644"
        content = file("${path.module}/scripts/set-up-database.sql")
      },
      {
        path    = "/usr/local/libexec/unslow/verifier.py"
        mode    = "0644"
        content = file("${path.module}/scripts/verifier.py")
      },
    ]
  })
}

resource "aws_instance" "setup" {
  # checkov:skip=CKV_AWS_88:An address of its own only without NAT (demo), to reach AWS; its group admits nobody
  # checkov:skip=CKV_AWS_126:It runs for a minute
  # checkov:skip=CKV_AWS_135:It runs for a minute; current types are optimized for EBS anyway
  ami                                  = local.ami
  instance_type                        = local.profiles.demo.instance_type[var.architecture]
  subnet_id                            = local.app_subnets[0]
  vpc_security_group_ids               = [aws_security_group.this["setup"].id]
  associate_public_ip_address          = local.public_address
  iam_instance_profile                 = aws_iam_instance_profile.setup.name
  user_data_base64                     = base64encode(local.setup_user_data)
  user_data_replace_on_change          = true
  instance_initiated_shutdown_behavior = "stop"
  tags                                 = { Name = "${var.name}-setup" }
  volume_tags                          = local.tags

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = 8
    encrypted   = true
  }

  lifecycle {
    # A newer image is no reason to do it again, and a stopped instance has no public address.
    ignore_changes = [ami, associate_public_ip_address]

    precondition {
      condition     = length(local.setup_user_data) <= 16384
      error_message = "The user data is larger than the 16 KiB that EC2 takes: shorten the scripts."
    }
  }

  depends_on = [
    aws_iam_role_policy.setup,
    aws_route.app,
    aws_route.public,
    aws_route_table_association.app,
    aws_route_table_association.public,
    aws_secretsmanager_secret_version.database,
    aws_vpc_security_group_egress_rule.aws,
    aws_vpc_security_group_egress_rule.within,
    aws_vpc_security_group_ingress_rule.within,
  ]
}

resource "aws_iam_role" "setup" {
  name_prefix        = "${var.name}-setup-"
  assume_role_policy = local.ec2_may_assume
}

resource "aws_iam_instance_profile" "setup" {
  name_prefix = "${var.name}-setup-"
  role        = aws_iam_role.setup.name
}

resource "aws_iam_role_policy" "setup" {
  name_prefix = "set-up-"
  role        = aws_iam_role.setup.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Program"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = "${aws_s3_bucket.files.arn}/unslow"
      },
      {
        Sid      = "Passwords"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = concat([aws_db_instance.this.master_user_secret[0].secret_arn], [for secret in aws_secretsmanager_secret.database : secret.arn])
      },
    ]
  })
}

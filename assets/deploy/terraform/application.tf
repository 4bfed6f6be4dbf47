# The application: what an instance is started from, and the group that starts instances. Whatever
# an instance is made of stands in its user data, with hashes. So a new program, query, setting or
# password is a new version of the template, and the group changes over to it a few instances at a
# time, behind the load balancer; when the new ones do not come to serve, it goes back by itself.

data "aws_ssm_parameter" "ami" {
  count = var.ami_id == null ? 1 : 0

  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
}

locals {
  ami            = var.ami_id == null ? data.aws_ssm_parameter.ami[0].insecure_value : var.ami_id
  public_address = local.nat == "none"
  app_subnets    = [for subnet in(local.public_address ? aws_subnet.public : aws_subnet.app) : subnet.id]

  # What the scripts need to know. All of it may be read by anyone: secrets are named, not held.
  facts = {
    REGION            = data.aws_region.current.region
    BUCKET            = aws_s3_bucket.files.id
    BINARY_KEY        = aws_s3_object.binary.key
    BINARY_VERSION    = aws_s3_object.binary.version_id
    BINARY_SHA256     = local.binary_sha256
    QUERIES_KEY       = aws_s3_object.queries.key
    QUERIES_VERSION   = aws_s3_object.queries.version_id
    QUERIES_SHA256    = sha256(local.queries)
    CA_URL            = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
    DATABASE_SECRET   = aws_secretsmanager_secret.database[local.database_user].arn
    DATABASE_HOST     = aws_db_instance.this.address
    DATABASE_PORT     = local.database_port
    DATABASE_NAME     = var.database_name
    DATABASE_SSLMODE  = "verify-full"
    DATABASE_USER     = local.database_user
    DATABASE_SCHEMAS  = join(",", var.database_schemas)
    CACHE_SECRET      = aws_secretsmanager_secret.cache.arn
    PASSWORDS_VERSION = var.password_version
    PORT              = local.port
  }

  facts_file = {
    path    = "/etc/unslow/deploy.env"
    mode    = "0644"
    content = join("\n", [for name, value in local.facts : "${name}='${value}'"])
  }
  common_file = {
    path    = "/usr/local/libexec/unslow/common.sh"
    mode    = "0644"
    content = file("${path.module}/scripts/common.sh")
  }

  user_data = templatefile("${path.module}/templates/cloud-init.yaml.tftpl", {
    command = "/usr/local/libexec/unslow/serve.sh"
    files = [
      local.facts_file,
      local.common_file,
      {
        path    = "/usr/local/libexec/unslow/serve.sh"
        mode    = "0755"
        content = file("${path.module}/scripts/serve.sh")
      },
      {
        path = "/etc/unslow/app.ini"
        mode = "0640"
        content = templatefile("${path.module}/templates/app.ini.tftpl", {
          port          = local.port
          proxies       = [for subnet in aws_subnet.public : subnet.cidr_block]
          show_host     = !local.production
          database_host = aws_db_instance.this.address
          database_port = local.database_port
          database_name = var.database_name
          database_user = local.database_user
          cache_host    = aws_elasticache_replication_group.this.primary_endpoint_address
          cache_port    = local.cache_port
          namespace     = var.name
          stats_allow   = var.stats_allow
        })
      },
    ]
  })
}

resource "aws_launch_template" "app" {
  # checkov:skip=CKV_AWS_88:An address of its own only without NAT (demo), to reach AWS; its group admits the load balancer alone
  name_prefix            = "${var.name}-"
  update_default_version = true
  image_id               = local.ami
  instance_type          = local.instance_type
  user_data              = base64encode(local.user_data)

  iam_instance_profile {
    arn = aws_iam_instance_profile.app.arn
  }

  # Session tokens only, and none for anything behind a forwarding container.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  network_interfaces {
    device_index                = 0
    security_groups             = [aws_security_group.this["app"].id]
    associate_public_ip_address = local.public_address
    delete_on_termination       = true
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = 8
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = local.production
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]

    content {
      resource_type = tag_specifications.value
      tags          = local.tags
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.user_data) <= 16384
      error_message = "The user data is larger than the 16 KiB that EC2 takes: shorten the scripts, or stats_allow."
    }
  }
}

resource "aws_autoscaling_group" "app" {
  name                = var.name
  min_size            = local.instances.min
  max_size            = local.instances.max
  vpc_zone_identifier = local.app_subnets
  target_group_arns   = [aws_lb_target_group.app.arn]

  # /healthz, which depends on neither database nor Redis: were it otherwise, an outage there would
  # have the group end every instance, just when they have copies to serve.
  health_check_type         = "ELB"
  health_check_grace_period = 480
  default_instance_warmup   = 60
  wait_for_capacity_timeout = "15m"
  enabled_metrics           = ["GroupInServiceInstances", "GroupDesiredCapacity", "GroupPendingInstances", "GroupTerminatingInstances"]

  # A number, never $Latest: otherwise there would be nothing to go back to.
  launch_template {
    id      = aws_launch_template.app.id
    version = aws_launch_template.app.latest_version
  }

  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 200
      auto_rollback          = true
    }
  }

  dynamic "tag" {
    for_each = local.tags

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  # What an instance needs at its first boot.
  depends_on = [
    aws_iam_role_policy.app,
    aws_iam_role_policy_attachment.session_manager,
    aws_instance.setup,
    aws_lb_listener.http,
    aws_lb_listener.https,
    aws_route.app,
    aws_route.public,
    aws_route_table_association.app,
    aws_route_table_association.public,
    aws_secretsmanager_secret_version.cache,
    aws_secretsmanager_secret_version.database,
    aws_vpc_security_group_egress_rule.aws,
    aws_vpc_security_group_egress_rule.within,
    aws_vpc_security_group_ingress_rule.within,
  ]
}

resource "aws_autoscaling_policy" "cpu" {
  name                   = "${var.name}-cpu"
  autoscaling_group_name = aws_autoscaling_group.app.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = 60

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}

# What an instance may: fetch its program and its own two secrets, and be reached by Session Manager.

locals {
  ec2_may_assume = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role" "app" {
  name_prefix        = "${var.name}-app-"
  assume_role_policy = local.ec2_may_assume
}

resource "aws_iam_instance_profile" "app" {
  name_prefix = "${var.name}-app-"
  role        = aws_iam_role.app.name
}

resource "aws_iam_role_policy_attachment" "session_manager" {
  role       = aws_iam_role.app.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_role_policy" "app" {
  name_prefix = "fetch-"
  role        = aws_iam_role.app.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Files"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [for key in ["unslow", "queries"] : "${aws_s3_bucket.files.arn}/${key}"]
      },
      {
        Sid      = "Passwords"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = concat([for secret in aws_secretsmanager_secret.database : secret.arn], [aws_secretsmanager_secret.cache.arn])
      },
    ]
  })
}

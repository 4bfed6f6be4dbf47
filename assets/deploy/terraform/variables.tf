# What can be chosen. Only binary_path has to be given, for production also domain.

variable "binary_path" {
  description = "The unslow program for the instances (Linux, of their architecture). Another file is a new version: it is rolled out."
  type        = string

  validation {
    condition     = fileexists(pathexpand(var.binary_path))
    error_message = "binary_path: there is no such file. Give the path of the unslow program, such as -var binary_path=./unslow."
  }

  # The magic number of an ELF file, and in bytes 18 to 20 the machine that it is for.
  validation {
    condition = !fileexists(pathexpand(var.binary_path)) || try(
      startswith(filebase64(pathexpand(var.binary_path)), "f0VM") &&
      substr(filebase64(pathexpand(var.binary_path)), 24, 4) == { arm64 = "twAB", x86_64 = "PgAB" }[var.architecture],
      false
    )
    error_message = "binary_path: this is no Linux program for architecture = \"${var.architecture}\". Give the unslow binary of that architecture, or set architecture to arm64 or x86_64 as the binary is."
  }
}

variable "profile" {
  description = "demo: small, cheap, without NAT. production: three zones, a NAT in each, standby database and cache, HTTPS."
  type        = string
  default     = "demo"

  validation {
    condition     = contains(["demo", "production"], var.profile)
    error_message = "profile: give demo or production."
  }
}

variable "name" {
  description = "Begins the names of everything that is made."
  type        = string
  default     = "unslow"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){2,19}$", var.name)) && length(var.name) <= 20
    error_message = "name: give 3 to 20 lower-case letters, digits and single dashes, a letter first, such as unslow."
  }
}

variable "region" {
  description = "The AWS region; without it that of the environment (AWS_REGION)."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for everything, besides Name, Project and Profile."
  type        = map(string)
  default     = {}
}

# How it is reached

variable "domain" {
  description = "The name under which it is served, by HTTPS. Production needs one; without one the demo speaks plain HTTP."
  type        = string
  default     = null

  validation {
    condition     = var.domain == null ? true : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,63}$", var.domain))
    error_message = "domain: give a full name in lower case without scheme or path, such as slow.example.com."
  }

  validation {
    condition     = var.profile != "production" || var.domain != null
    error_message = "domain: profile = \"production\" serves by HTTPS only. Give domain = \"slow.example.com\", with route53_zone_id or certificate_arn."
  }

  validation {
    condition     = var.domain == null || var.route53_zone_id != null || var.certificate_arn != null
    error_message = "domain: it needs a certificate. Give route53_zone_id (certificate and name are made there), or certificate_arn of one that you have."
  }

  validation {
    condition     = var.domain != null || (var.route53_zone_id == null && var.certificate_arn == null)
    error_message = "domain: route53_zone_id and certificate_arn are a domain's. Give domain = \"slow.example.com\" too, or neither of them."
  }
}

variable "route53_zone_id" {
  description = "The Route 53 zone of the domain: its certificate is validated and its name made there."
  type        = string
  default     = null

  validation {
    condition     = var.route53_zone_id == null ? true : can(regex("^Z[A-Z0-9]{5,31}$", var.route53_zone_id))
    error_message = "route53_zone_id: give the id of a hosted zone, such as Z0123456789ABCDEFGHIJ (aws route53 list-hosted-zones)."
  }
}

variable "certificate_arn" {
  description = "An issued ACM certificate for the domain, in this region, instead of one of our own."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null ? true : can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "certificate_arn: give the ARN of an ACM certificate (arn:aws:acm:REGION:ACCOUNT:certificate/ID)."
  }
}

variable "allowed_cidrs" {
  description = "Who may connect to the load balancer: IPv4 networks."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "allowed_cidrs: give at least one IPv4 network, such as [\"203.0.113.0/24\"]."
  }
}

variable "stats_allow" {
  description = "Who may see /stats and /metrics through the load balancer: IPv4 networks. Nobody by default."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.stats_allow : can(cidrnetmask(cidr)) && !endswith(cidr, "/0")])
    error_message = "stats_allow: give IPv4 networks other than the whole internet, such as [\"203.0.113.7/32\"]."
  }
}

variable "web_acl_arn" {
  description = "A WAF web ACL for the load balancer, where you have one."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null ? true : can(regex("^arn:[a-z-]+:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/.+$", var.web_acl_arn))
    error_message = "web_acl_arn: give the ARN of a regional web ACL (arn:aws:wafv2:REGION:ACCOUNT:regional/webacl/NAME/ID)."
  }
}

# The network

variable "vpc_cidr" {
  description = "The network's addresses, a /16."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && endswith(var.vpc_cidr, "/16")
    error_message = "vpc_cidr: give an IPv4 network of size /16, such as 10.20.0.0/16."
  }
}

variable "availability_zones" {
  description = "The zones to use; without it the first two (demo) or three (production) of the region."
  type        = list(string)
  default     = null

  validation {
    condition     = var.availability_zones == null ? true : length(distinct(var.availability_zones)) == length(var.availability_zones) && length(var.availability_zones) >= 2 && length(var.availability_zones) <= 6
    error_message = "availability_zones: give two to six different zones of the region, such as [\"eu-central-1a\", \"eu-central-1b\"]."
  }
}

variable "nat" {
  description = "How private instances reach the internet: none (they stand in public subnets), single, per_az, regional."
  type        = string
  default     = null

  validation {
    condition     = var.nat == null ? true : contains(["none", "single", "per_az", "regional"], var.nat)
    error_message = "nat: give none, single, per_az or regional, or leave it out for the profile's own."
  }
}

# Sizes; without them the profile's own

variable "architecture" {
  description = "Of the instances, and of the program: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture: give arm64 or x86_64, as the program in binary_path is."
  }
}

variable "instance_type" {
  description = "Of the application's instances."
  type        = string
  default     = null

  validation {
    condition     = var.instance_type == null ? true : can(regex("^[a-z0-9-]+[.][a-z0-9-]+$", var.instance_type))
    error_message = "instance_type: give an EC2 instance type of the chosen architecture, such as t4g.small (arm64) or t3.small (x86_64)."
  }
}

variable "instances" {
  description = "How many instances at least and at most."
  type        = object({ min = number, max = number })
  default     = null

  validation {
    condition     = var.instances == null ? true : try(var.instances.min >= 1 && var.instances.max >= var.instances.min && var.instances.max <= 100, false)
    error_message = "instances: give { min = …, max = … } with 1 <= min <= max <= 100."
  }
}

variable "ami_id" {
  description = "An Amazon Linux 2023 image to stay on; without it the newest at each apply."
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null ? true : can(regex("^ami-[0-9a-f]{8,17}$", var.ami_id))
    error_message = "ami_id: give the id of an Amazon Linux 2023 image (ami-0123456789abcdef0), or leave it out for the newest."
  }
}

variable "database_instance_class" {
  description = "Of the database."
  type        = string
  default     = null

  validation {
    condition     = var.database_instance_class == null ? true : startswith(var.database_instance_class, "db.")
    error_message = "database_instance_class: give an RDS instance class, such as db.t4g.micro."
  }
}

variable "cache_node_type" {
  description = "Of the cache's nodes."
  type        = string
  default     = null

  validation {
    condition     = var.cache_node_type == null ? true : startswith(var.cache_node_type, "cache.")
    error_message = "cache_node_type: give an ElastiCache node type, such as cache.t4g.micro."
  }
}

variable "deletion_protection" {
  description = "Whether database and load balancer are protected, and a last snapshot kept; false before a terraform destroy of production."
  type        = bool
  default     = null
}

# The application

variable "queries_dir" {
  description = "A folder of your .sql files. Without it there are the embedded queries alone."
  type        = string
  default     = null

  validation {
    condition     = var.queries_dir == null ? true : length(try(fileset(pathexpand(var.queries_dir), "*.sql"), [])) > 0
    error_message = "queries_dir: there is no .sql file. Give the folder that holds your query files, such as ./queries, or leave it out."
  }

  validation {
    condition     = var.queries_dir == null ? true : alltrue([for name in try(fileset(pathexpand(var.queries_dir), "*.sql"), []) : can(regex("^[a-z0-9_-]{1,64}[.]sql$", name))])
    error_message = "queries_dir: a query file's name is up to 64 lower-case letters, digits, _ and -, then .sql. Rename the others."
  }
}

variable "database_name" {
  description = "The database that is made, and read."
  type        = string
  default     = "app"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database_name))
    error_message = "database_name: give up to 63 lower-case letters, digits and _, a letter first, such as app."
  }
}

variable "database_schemas" {
  description = "The schemas whose tables the application may read."
  type        = list(string)
  default     = ["public"]

  validation {
    condition     = length(var.database_schemas) > 0 && alltrue([for name in var.database_schemas : can(regex("^[a-z_][a-z0-9_]{0,62}$", name))])
    error_message = "database_schemas: give at least one schema in lower-case letters, digits and _, such as [\"public\"]."
  }
}

variable "password_version" {
  description = "One more: new passwords for database and Redis, rolled out without an interruption."
  type        = number
  default     = 1

  validation {
    condition     = var.password_version >= 1 && floor(var.password_version) == var.password_version
    error_message = "password_version: give a whole number from 1 on; one more than now makes new passwords."
  }
}
